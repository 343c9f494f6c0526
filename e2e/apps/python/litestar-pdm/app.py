from litestar import Litestar, MediaType, get


@get("/", media_type=MediaType.TEXT)
async def index() -> str:
    return "Hello from litestar-pdm\n"


app = Litestar([index])
