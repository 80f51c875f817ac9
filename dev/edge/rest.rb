# Whatever matched no service's path: h2o compares letter case, our paths do not. So a path of a service in other letters goes
# through h2o once more in lower case. The rest is the web client's where there is one, or else not found.
HAS_WEB = $has_web
PREFIXES = ["/api/", "/.well-known/"]
NOT_FOUND = [404, {"content-type" => "application/json"}, ["{\"errors\":[{\"message\":\"Not found\"}]}"]]
WELCOME = [200, {"content-type" => "application/json"},
           ["{\"name\":\"Onsale\",\"what\":\"a ticket marketplace\",\"try\":[\"/api/tickets\",\"/api/users/currentuser\"]}\n"]]
AGAIN = 307 # keeps method and body
TO_WEB = 399 # h2o: the next handler of this path

lambda do |env|
  path = env["PATH_INFO"].to_s # as it came: what was percent-encoded still is
  lower = path.downcase
  if lower != path && PREFIXES.any? { |prefix| lower.start_with?(prefix) }
    query = env["QUERY_STRING"].to_s
    return [AGAIN, {"x-reproxy-url" => query.empty? ? lower : "#{lower}?#{query}"}, []]
  end
  return NOT_FOUND if PREFIXES.any? { |prefix| lower.start_with?(prefix) }
  return [TO_WEB, {}, []] if HAS_WEB
  path == "/" ? WELCOME : NOT_FOUND
end
