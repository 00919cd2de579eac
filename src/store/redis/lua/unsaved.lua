-- Of the next sessions of the tenant by name: how many have no version, and what a run left which nobody holds. Answers with the
-- last name that was looked at where there may be more.
local limit, looked, count, last = tonumber(ARGV[3]), 0, 0, false
walk(ARGV[2], function(name)
  if looked >= limit then return false end
  looked, last = looked + 1, name
  local session = find(name)
  if session and not session.head and session.left_at and not is_held(session)
    and redis.call('HEXISTS', data_key(name), 'state') == 1 then
    count = count + 1
  end
  return true
end)
return { count, looked >= limit and last }
