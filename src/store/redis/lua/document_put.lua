-- Writes a document where what is there is as expected: any, none, or a value.
local place, condition, wanted, value, ttl = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local found = find(place)
local as_expected = condition == 'any' or (condition == 'none' and not found) or (condition == 'value' and found == wanted)
-- No two sealings are alike: what is there already was put by this very call, whose answer was lost.
if not as_expected and found ~= value then return { 'changed' } end

local expires_at = ttl ~= '' and now + tonumber(ttl) or nil
if expires_at and expires_at > LAST then expires_at = nil end
local key = key_of(place)
redis.call('HSET', key, 'value', value)
redis.call('ZADD', places, 0, place)
if expires_at then
  redis.call('HSET', key, 'expires_at', whole(expires_at))
  redis.call('ZADD', dues, whole(expires_at), place)
  redis.call('PEXPIREAT', key, whole(math.ceil((real + expires_at - now) / 1000)))
else
  redis.call('HDEL', key, 'expires_at')
  redis.call('ZREM', dues, place)
  redis.call('PERSIST', key)
end
-- Redis has forgotten what ran out; its places go with the next write.
for _, past in ipairs(redis.call('ZRANGEBYSCORE', dues, '-inf', whole(now), 'LIMIT', 0, 100)) do
  if past ~= place then remove(past) end
end
return { 'done' }
