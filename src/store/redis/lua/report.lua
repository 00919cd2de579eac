-- What the server says of itself, and which of the commands that the scripts need it does not permit. KEYS: a hash and a
-- sorted set for trying it; nothing stays of them.
local hash, set = KEYS[1], KEYS[2]
local denied, refused = {}, false

local function try(command, ...)
  local answer = redis.pcall(command, ...)
  if type(answer) ~= 'table' or not answer.err then return end
  if string.find(answer.err, 'NOPERM') or string.find(answer.err, 'The user executing the script') then
    denied[#denied + 1] = string.lower(command)
  elseif not refused then
    refused = answer.err
  end
end

try('HSET', hash, 'a', '1')
try('HSETNX', hash, 'b', '1')
try('HGET', hash, 'a')
try('HMGET', hash, 'a', 'b')
try('HEXISTS', hash, 'a')
try('HSTRLEN', hash, 'a')
try('HKEYS', hash)
try('HDEL', hash, 'b')
try('PEXPIREAT', hash, '99999999999999')
try('PTTL', hash)
try('PERSIST', hash)
try('ZADD', set, '0', 'a')
try('ZRANGEBYLEX', set, '-', '+')
try('ZRANGEBYSCORE', set, '-inf', '+inf')
try('ZREM', set, 'a')
try('DEL', hash, set)

local info = redis.pcall('INFO')
return { type(info) == 'string' and info or false, refused, denied }
