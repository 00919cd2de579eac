-- Puts a record that was sealed anew in the place of the one that was read.
local data, expected, new = data_key(ARGV[2]), ARGV[3], ARGV[4]
local record = redis.call('HGET', data, 'record')
if record ~= expected and record ~= new then return 0 end
redis.call('HSET', data, 'record', new)
return 1
