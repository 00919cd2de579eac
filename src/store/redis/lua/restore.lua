-- Puts a session where there is none of that name: fence, record, expiry, checkpoint, versions, parts.
local name, fence, record, expires_at = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local left_fence, left_base, left_at, state = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local FIRST_VERSION, SIZE = 11, 7
local first_part = FIRST_VERSION + tonumber(ARGV[10]) * SIZE

local there = find(name)
if there then
  local is_free = is_expired(there) or (not there.head and not there.left_at)
  if is_held(there) or not is_free then return { 'taken' } end
  fence = max(fence, there.fence)
end

local key, data = session_key(name), data_key(name)
redis.call('HSET', key, 'fence', whole(fence))
redis.call('HDEL', key, 'owner', 'holder', 'lease_end', 'expires_at', 'ran_out_at', 'left_fence', 'left_base', 'left_at')
-- Blobs of what ran out there are swept, like all that nothing refers to.
empty(name)

local kept, blobs = {}, {}
redis.call('HSET', data, 'record', record)
for at = FIRST_VERSION, first_part - 1, SIZE do
  local version = ARGV[at]
  kept[#kept + 1] = { version = version, fence = ARGV[at + 1], saved_at = ARGV[at + 2], pinned = ARGV[at + 3] == '1' }
  redis.call('HSET', data, 'index:' .. version, ARGV[at + 4], 'parts:' .. version, ARGV[at + 5],
    'blobs:' .. version, ARGV[at + 6])
  for blob in each(ARGV[at + 6], 32) do blobs[#blobs + 1] = blob end
end
redis.call('HSET', data, 'versions', lines_of(kept))
for at = first_part, #ARGV, 2 do redis.call('HSET', data, 'part:' .. ARGV[at], ARGV[at + 1]) end
refer(name, blobs)

local session = { name = name, fence = fence, head = kept[#kept].version, expires_at = tonumber(expires_at) }
redis.call('HSET', key, 'head', session.head)
if session.expires_at then redis.call('HSET', key, 'expires_at', expires_at) end
if left_at ~= '' then
  session.left_at = tonumber(left_at)
  redis.call('HSET', data, 'state', state)
  redis.call('HSET', key, 'left_fence', left_fence, 'left_at', left_at)
  if left_base ~= '' then redis.call('HSET', key, 'left_base', left_base) end
end
enter(session)
settle(session)
return { 'done' }
