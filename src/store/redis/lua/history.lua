-- The kept versions, newest first.
local session = find(ARGV[2])
if not is_living(session) then return {} end
local entries, kept = {}, versions(session.name)
for at = #kept, 1, -1 do
  local line = kept[at]
  local index = redis.call('HGET', data_key(session.name), 'index:' .. line.version) or ''
  entries[#entries + 1] = { line.version, line.fence, index, line.saved_at, line.pinned and '1' or '0' }
end
return entries
