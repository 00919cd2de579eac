-- Makes a session run out from now on later, or never.
local session = find(ARGV[2])
if not is_living(session) then return { 'done' } end
session.expires_at = ARGV[3] ~= '' and later(ARGV[3]) or nil
enter(session)
if session.expires_at then
  redis.call('HSET', session_key(session.name), 'expires_at', whole(session.expires_at))
else
  redis.call('HDEL', session_key(session.name), 'expires_at')
end
settle(session)
return { 'done' }
