# The body of an error that the edge itself answers: /.edge/STATUS.
MESSAGES = {
  404 => "Not found",
  413 => "The request body is too large",
  502 => "This part of Onsale is not running right now; try again in a moment",
}

lambda do |env|
  status = env["PATH_INFO"].to_s[1..-1].to_i
  status = 404 unless MESSAGES[status]
  [status, {"content-type" => "application/json"}, ["{\"errors\":[{\"message\":\"#{MESSAGES[status]}\"}]}"]]
end
