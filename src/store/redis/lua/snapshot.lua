-- All of a session but its lease; of one that has run out only where asked for.
local session = find(ARGV[2])
if not session or not session.head or (is_expired(session) and ARGV[3] ~= 'any') then return false end
local data = data_key(session.name)
local record = redis.call('HGET', data, 'record')
if not record then return false end

local all, parts = {}, {}
for at, line in ipairs(versions(session.name)) do
  local own = redis.call('HMGET', data, 'index:' .. line.version, 'parts:' .. line.version, 'blobs:' .. line.version)
  all[at] = { line.version, line.fence, line.saved_at, line.pinned and '1' or '0', own[1] or '', own[2] or '', own[3] or '' }
end
for _, field in ipairs(redis.call('HKEYS', data)) do
  if string.sub(field, 1, 5) == 'part:' then
    parts[#parts + 1] = { string.sub(field, 6), redis.call('HGET', data, field) }
  end
end
local expires_at = session.expires_at and whole(session.expires_at) or false
return { whole(session.fence), record, expires_at, all, parts, checkpoint(session) }
