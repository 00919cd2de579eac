-- Pins a version, or lets it go.
local session = find(ARGV[2])
if not is_living(session) then return { 'no_version' } end
local kept, known = versions(session.name), false
for _, line in ipairs(kept) do
  if line.version == ARGV[3] then line.pinned, known = ARGV[4] == '1', true end
end
if not known then return { 'no_version' } end
redis.call('HSET', data_key(session.name), 'versions', lines_of(kept))
return { 'done' }
