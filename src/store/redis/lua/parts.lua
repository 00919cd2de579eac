-- Parts in the order asked for; nothing where one is missing.
local bodies = {}
for at = 3, #ARGV do
  local body = redis.call('HGET', data_key(ARGV[2]), 'part:' .. ARGV[at])
  if not body then return false end
  bodies[#bodies + 1] = body
end
return bodies
