// Answered anew for each request, by the server.
export const dynamic = "force-dynamic";

export function GET() {
  return Response.json({ now: Date.now() });
}
