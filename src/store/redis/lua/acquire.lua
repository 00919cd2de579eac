-- Takes the lease, or says who has it. Sent along: HEAD, parts of it as far as they fit, the checkpoint.
local name, owner, holder, lease, replace, room = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])

local session = find(name)
if session and is_held(session) and session.owner ~= owner and session.owner ~= replace then
  return { 'held', held(session) }
end

local fence = session and max(session.fence + 1, now) or now
local fresh = session or { name = name }
local ran_out = session and is_expired(session)
fresh.fence, fresh.owner, fresh.holder, fresh.lease_end = fence, owner, holder, later(lease) or LAST
redis.call('HSET', session_key(name), 'fence', whole(fence), 'owner', owner, 'holder', holder,
  'lease_end', whole(fresh.lease_end))

local orphaned = {}
if ran_out or not session then
  -- Of a name that is new, what Redis forgot in time may still be referred to.
  orphaned = empty(name)
end
if ran_out then
  fresh = { name = name, owner = owner, lease_end = fresh.lease_end, ran_out_at = session.expires_at }
  redis.call('HSET', session_key(name), 'ran_out_at', whole(fresh.ran_out_at))
  redis.call('HDEL', session_key(name), 'head', 'expires_at', 'left_fence', 'left_base', 'left_at')
elseif session and session.head then
  -- Where the row was made again from the versions, this is news to it.
  redis.call('HSET', session_key(name), 'head', session.head)
  if session.expires_at then redis.call('HSET', session_key(name), 'expires_at', whole(session.expires_at)) end
end
enter(fresh)
settle(fresh)

local head, parts = false, {}
if fresh.head then
  head = show(fresh, fresh.head)
  for part in each(redis.call('HGET', data_key(name), 'parts:' .. fresh.head) or '', 16) do
    local length = redis.call('HSTRLEN', data_key(name), 'part:' .. part)
    if length > 0 and length <= room then
      room = room - length
      parts[#parts + 1] = { part, redis.call('HGET', data_key(name), 'part:' .. part) }
    end
  end
end
return { 'granted', whole(fence), head, parts, checkpoint(fresh),
  fresh.ran_out_at and whole(fresh.ran_out_at) or false, orphaned }
