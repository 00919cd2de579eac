-- Every session of the tenant by name: what is sealed under the tenant's key in it.
local limit, found = tonumber(ARGV[3]), {}
walk(ARGV[2], function(name)
  if #found >= limit then return false end
  local session = find(name)
  if session then
    local data = redis.call('HMGET', data_key(name), 'record', 'state')
    found[#found + 1] = { name, data[1], is_held(session) and session.holder, session.left_at and data[2] or false }
  end
  return true
end)
return found
