-- Puts a checkpoint in the place of the one before.
local name, base, state = ARGV[2], ARGV[5], ARGV[6]
local session = find(name)
if not holds(session, ARGV[3], ARGV[4]) then return { 'lease_lost' } end
session.left_at = now
redis.call('HSET', data_key(name), 'state', state)
redis.call('HSET', session_key(name), 'left_fence', ARGV[4], 'left_at', whole(now))
if base == '' then
  redis.call('HDEL', session_key(name), 'left_base')
else
  redis.call('HSET', session_key(name), 'left_base', base)
end
enter(session)
settle(session)
return { 'done' }
