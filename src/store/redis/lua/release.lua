-- Gives the lease back, and the checkpoint of this fence with it. A name that was only asked for leaves nothing.
local session = find(ARGV[2])
if not session or session.owner ~= ARGV[3] or session.fence ~= tonumber(ARGV[4]) then return { 'done' } end
local key = session_key(session.name)
if session.left_at and tonumber(session.left_fence) == session.fence then
  redis.call('HDEL', data_key(session.name), 'state')
  redis.call('HDEL', key, 'left_fence', 'left_base', 'left_at')
  session.left_at = nil
end
if session.head or session.left_at then
  redis.call('HDEL', key, 'owner', 'holder', 'lease_end')
  session.owner = false
  settle(session)
  -- Without memory it stays where it is: it is purged some seconds later then.
  local at = due(session)
  if at then redis.pcall('ZADD', dues, whole(at), session.name) end
else
  remove(session.name)
end
return { 'done' }
