# An error that the edge itself answers: /.edge/STATUS in the shape of the APIs, /.edge/STATUS.html for people. Which of them is
# dev/edge.py's to say, by path: h2o tells nothing here of the request that failed.
PAGE = File.open("#{File.dirname(__FILE__)}/error.html") { |file| file.read }
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
MESSAGES = {
  404 => "Not found",
  413 => "The request body is too large",
  502 => "This part of Onsale is not running right now; try again in a moment",
}

lambda do |env|
  name = env["PATH_INFO"].to_s[1..-1].to_s
  status = MESSAGES[name.to_i] ? name.to_i : 404
  if name.end_with?(".html")
    return [status, {"content-type" => "text/html; charset=utf-8", "content-security-policy" => POLICY, "cache-control" => "no-store"}, [PAGE]]
  end
  [status, {"content-type" => "application/json"}, ["{\"errors\":[{\"message\":\"#{MESSAGES[status]}\"}]}"]]
end
