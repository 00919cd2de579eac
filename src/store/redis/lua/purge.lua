-- Removes what has run out and is not held, at most so many at a time; answers with how many were dealt with.
local limit, removed, orphaned = tonumber(ARGV[2]), 0, {}

local function add(blobs)
  for _, blob in ipairs(blobs) do orphaned[#orphaned + 1] = blob end
end

-- Without memory an entry stays where it is, and is found again.
local function look_again(name, at)
  local done = redis.pcall('ZADD', dues, whole(at), name)
  if type(done) ~= 'table' then removed = removed + 1 end
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', dues, '-inf', whole(now), 'LIMIT', 0, limit)) do
  local session = find(name)
  local at = session and due(session)
  if session and is_held(session) then
    look_again(name, session.lease_end)
  elseif session and not at then
    redis.call('ZREM', dues, name)
    removed = removed + 1
  elseif session and at > now then
    look_again(name, at)
  elseif session and is_expired(session) and at + TRACE > now then
    -- What it holds is dropped; that it ran out is remembered.
    add(empty(name))
    look_again(name, at + TRACE)
  else
    add(remove(name))
    removed = removed + 1
  end
end
return { removed, orphaned }
