-- Puts a value that was sealed anew in the place of the one that was read; it runs out when that would have.
local place, expected, new = ARGV[2], ARGV[3], ARGV[4]
local found = find(place)
if not found or (found ~= expected and found ~= new) then return 0 end
redis.call('HSET', key_of(place), 'value', new)
return 1
