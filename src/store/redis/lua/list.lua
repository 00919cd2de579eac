-- Sessions of the tenant that can be read, by name.
local limit, found = tonumber(ARGV[3]), {}
walk(ARGV[2], function(name)
  if #found >= limit then return false end
  local session = find(name)
  if is_living(session) then found[#found + 1] = { name, show(session, session.head), held(session) } end
  return true
end)
return found
