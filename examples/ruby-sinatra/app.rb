require "sinatra/base"

class App < Sinatra::Base
  before { content_type :text }

  get("/") { "Hello from ruby-sinatra\n" }
  get("/healthz") { "ok\n" }
end
