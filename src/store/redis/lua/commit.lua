-- Writes a new version, drops those beyond `keep`, and what only they had.
local name, owner, fence = ARGV[2], ARGV[3], ARGV[4]
local expected, version, record, index = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local keep, ttl, parts, blobs = tonumber(ARGV[9]), ARGV[10], ARGV[11], ARGV[12]
local saved_at, first = ARGV[13], ARGV[14]
local FIRST_PART = 15

local session = find(name)
local data = data_key(name)
local kept = versions(name)
-- Its answer was lost: whoever asks again may not hold the lease any more, and has to know that it is done.
for _, old in ipairs(kept) do
  if old.version == version and old.fence == fence and redis.call('HGET', data, 'index:' .. version) == index then
    return { 'done', old.saved_at, {} }
  end
end
if not holds(session, owner, fence) then return { 'lease_lost' } end
local head = session.head or ''
if head ~= expected or (head ~= '' and tonumber(head) >= tonumber(version)) then
  return { 'conflict', head ~= '' and head }
end

local bodies, used = {}, {}
for at = FIRST_PART, #ARGV, 2 do bodies[ARGV[at]] = ARGV[at + 1] end
for part in each(parts, 16) do
  if not bodies[part] and redis.call('HEXISTS', data, 'part:' .. part) == 0 then return { 'no_part' } end
  used[part] = true
end

local added = { version = version, fence = fence, saved_at = saved_at ~= '' and saved_at or whole(now), pinned = false }
local unpinned, goes = {}, {}
for _, old in ipairs(kept) do
  if not old.pinned then unpinned[#unpinned + 1] = old.version end
end
-- Those that are to go first, then the others, the oldest before.
local over = #unpinned + 1 - max(keep, 1)
for _, named in ipairs({ true, false }) do
  for _, old in ipairs(unpinned) do
    local is_named = string.find(first, ',' .. old .. ',', 1, true) ~= nil
    if over > 0 and is_named == named then
      goes[old] = true
      over = over - 1
    end
  end
end
local spared, dropped = {}, {}
for _, old in ipairs(kept) do
  if goes[old.version] then dropped[#dropped + 1] = old.version else spared[#spared + 1] = old end
end
local previous = redis.call('HGET', data, 'blobs:' .. head) or ''
local candidates = {}
for _, old in ipairs(dropped) do
  local lists = redis.call('HMGET', data, 'parts:' .. old, 'blobs:' .. old)
  candidates[#candidates + 1] = { lists[1] or '', lists[2] or '' }
end

-- Whether a list of ids has this one.
local function has(ids, id)
  local from = 1
  while true do
    local at = string.find(ids, id, from, true)
    if not at then return false end
    if (at - 1) % string.len(id) == 0 then return true end
    from = at + 1
  end
end

local others = nil
local function is_used(id, place, own)
  if own then return true end
  if not others then
    others = {}
    for _, old in ipairs(spared) do
      local lists = redis.call('HMGET', data, 'parts:' .. old.version, 'blobs:' .. old.version)
      others[#others + 1] = { lists[1] or '', lists[2] or '' }
    end
  end
  for _, lists in ipairs(others) do
    if has(lists[place], id) then return true end
  end
  return false
end

local old_fields, gone, seen = {}, {}, {}
for _, lists in ipairs(candidates) do
  for part in each(lists[1], 16) do
    if not seen[part] and not is_used(part, 1, used[part]) then old_fields[#old_fields + 1] = 'part:' .. part end
    seen[part] = true
  end
  for blob in each(lists[2], 32) do
    if not seen[blob] and not is_used(blob, 2, has(blobs, blob)) then gone[#gone + 1] = blob end
    seen[blob] = true
  end
end
for _, old in ipairs(dropped) do
  for _, field in ipairs({ 'index:', 'parts:', 'blobs:' }) do old_fields[#old_fields + 1] = field .. old end
end

spared[#spared + 1] = added
redis.call('HSET', data, 'record', record, 'versions', lines_of(spared), 'index:' .. version, index,
  'parts:' .. version, parts, 'blobs:' .. version, blobs)
for part, body in pairs(bodies) do
  if used[part] then redis.call('HSETNX', data, 'part:' .. part, body) end
end
session.head, session.ran_out_at, session.left_at = version, nil, nil
session.expires_at = ttl ~= '' and later(ttl) or nil
redis.call('HSET', session_key(name), 'head', version)
redis.call('HDEL', session_key(name), 'expires_at', 'ran_out_at', 'left_fence', 'left_base', 'left_at')
if session.expires_at then redis.call('HSET', session_key(name), 'expires_at', whole(session.expires_at)) end
local new_blobs = {}
for blob in each(blobs, 32) do
  if not has(previous, blob) then new_blobs[#new_blobs + 1] = blob end
end
refer(name, new_blobs)
enter(session)

redis.call('HDEL', data, 'state')
in_pieces('HDEL', data, old_fields)
local orphaned = let_go(name, gone)
settle(session)
return { 'done', added.saved_at, orphaned }
