-- Makes the lease last from now.
local session = find(ARGV[2])
if not holds(session, ARGV[3], ARGV[4]) then return { 'lease_lost' } end
session.lease_end = later(ARGV[5]) or LAST
redis.call('HSET', session_key(session.name), 'lease_end', whole(session.lease_end))
settle(session)
return { 'done' }
