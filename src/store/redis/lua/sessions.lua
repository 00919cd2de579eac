-- What all scripts about sessions share; it stands before each of them. What is kept in which key: see mod.rs.
--
-- KEYS begins with the tenant's `names`, `due` and `blobs`; the keys of a session are derived from its name. ARGV begins
-- with the time to go by (empty: Redis' own).
--
-- Redis refuses commands that may need memory when it has none left, and a script that fails has written what came before.
-- So each script checks first, and its first write is one that is refused then.

local names, dues, refs = KEYS[1], KEYS[2], KEYS[3]
local prefix = string.sub(names, 1, -string.len('names') - 1)

local clock = redis.call('TIME')
local real = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local now = tonumber(ARGV[1]) or real

-- For how long it is remembered that a session ran out, or a checkpoint without a version is kept: 30 days.
local TRACE = 2592000000000
-- The last moment that there is: the end of the year 9999. What would be later is never.
local LAST = 253402207200000000

local function session_key(name) return prefix .. 'session:' .. name end
local function data_key(name) return prefix .. 'data:' .. name end

-- A number as it is written; Lua's own way loses digits.
local function whole(number) return string.format('%.0f', number) end

local function later(span)
  local at = now + tonumber(span)
  if at <= LAST then return at end
end

local function max(a, b)
  if a > b then return a end
  return b
end

-- Calls for many arguments at once, in pieces that fit Lua's stack.
local function in_pieces(command, key, arguments)
  for from = 1, #arguments, 1000 do
    redis.call(command, key, unpack(arguments, from, math.min(from + 999, #arguments)))
  end
end

-- The kept versions, oldest first. Numbers stay text: they are only shown.
local function versions(name)
  local kept = {}
  local lines = redis.call('HGET', data_key(name), 'versions') or ''
  for version, fence, saved_at, pinned in string.gmatch(lines, '(%d+) (%d+) (%d+) ([01])\n') do
    kept[#kept + 1] = { version = version, fence = fence, saved_at = saved_at, pinned = pinned == '1' }
  end
  return kept
end

local function lines_of(kept)
  local lines = {}
  for _, line in ipairs(kept) do
    lines[#lines + 1] =
      table.concat({ line.version, line.fence, line.saved_at, line.pinned and '1' or '0' }, ' ') .. '\n'
  end
  return table.concat(lines)
end

-- A session whose versions are there and whose row is not: a Redis that evicts has thrown it away. It is made again, so that
-- its versions are not written over.
local function found_again(name)
  local kept = versions(name)
  local newest = kept[#kept]
  if not newest then return nil end
  local left = redis.call('PTTL', data_key(name))
  local expires_at = nil
  if left > 0 then expires_at = now + left * 1000 end
  return { name = name, fence = tonumber(newest.fence), head = newest.version, expires_at = expires_at, lease_end = 0 }
end

-- A session's row, or nil.
local function find(name)
  local row = redis.call('HMGET', session_key(name), 'fence', 'owner', 'holder', 'lease_end', 'head', 'expires_at',
    'ran_out_at', 'left_fence', 'left_base', 'left_at')
  if not row[1] then return found_again(name) end
  return {
    name = name,
    fence = tonumber(row[1]),
    owner = row[2],
    holder = row[3],
    lease_end = tonumber(row[4] or 0),
    head = row[5],
    expires_at = tonumber(row[6]),
    ran_out_at = tonumber(row[7]),
    left_fence = row[8],
    left_base = row[9],
    left_at = tonumber(row[10]),
  }
end

-- Values in a reply are false where there is none: nil would end it.
local function is_held(session) return session.owner and session.lease_end > now or false end

local function is_expired(session) return session.head and session.expires_at and session.expires_at <= now end

-- Whether it can be read: it has a version and has not run out.
local function is_living(session) return session and session.head and not is_expired(session) end

-- Whether `owner` holds the running lease under `fence`.
local function holds(session, owner, fence)
  return session and is_held(session) and session.owner == owner and session.fence == tonumber(fence)
end

local function held(session)
  if not (session and is_held(session)) then return false end
  return { session.owner, session.holder or '', whole(session.lease_end - now) }
end

-- Redis forgets `key` at the moment `at` of our clock; never where that is nil.
local function expire(key, at)
  if at then
    redis.call('PEXPIREAT', key, whole(math.ceil((real + at - now) / 1000)))
  else
    redis.call('PERSIST', key)
  end
end

-- When there is something to do about a session that nobody holds; nil for never.
local function due(session)
  if session.head then return session.expires_at end
  local left = session.left_at and session.left_at + TRACE or 0
  local gone = session.ran_out_at and session.ran_out_at + TRACE or 0
  return max(left, gone)
end

-- Sets when Redis itself forgets the session, and what it holds: never before a running lease ends.
local function settle(session)
  local lease = is_held(session) and session.lease_end or 0
  local data, row
  if session.head then
    data = session.expires_at
    row = data and data + TRACE
  else
    data = session.left_at and session.left_at + TRACE or 0
    row = due(session)
  end
  expire(data_key(session.name), data and max(data, lease))
  expire(session_key(session.name), row and max(row, lease))
end

-- Enters the session in the tenant's lists.
local function enter(session)
  redis.call('ZADD', names, 0, session.name)
  local at = due(session)
  if at then
    local lease = is_held(session) and session.lease_end or 0
    redis.call('ZADD', dues, whole(max(at, lease)), session.name)
  else
    redis.call('ZREM', dues, session.name)
  end
end

-- A list that is one string of ids.
local function each(ids, length)
  local at = 1 - length
  return function()
    at = at + length
    if at <= string.len(ids) then return string.sub(ids, at, at + length - 1) end
  end
end

-- The blobs that a session refers to, also after Redis has forgotten it.
local function referred(name)
  local blobs = {}
  local start = string.len(name) + 3
  for _, entry in ipairs(redis.call('ZRANGEBYLEX', refs, '[s' .. name .. ':', '(s' .. name .. ';')) do
    blobs[#blobs + 1] = string.sub(entry, start)
  end
  return blobs
end

local function refer(name, blobs)
  local entries = {}
  for _, blob in ipairs(blobs) do
    for _, entry in ipairs({ 's' .. name .. ':' .. blob, 'b' .. blob .. name }) do
      entries[#entries + 1] = 0
      entries[#entries + 1] = entry
    end
  end
  in_pieces('ZADD', refs, entries)
end

-- A session refers to `blobs` no more; answers with those that now nobody refers to.
local function let_go(name, blobs)
  local orphaned = {}
  for _, blob in ipairs(blobs) do
    redis.call('ZREM', refs, 's' .. name .. ':' .. blob, 'b' .. blob .. name)
    local others = redis.call('ZRANGEBYLEX', refs, '[b' .. blob, '(b' .. blob .. 'g', 'LIMIT', 0, 1)
    if #others == 0 then orphaned[#orphaned + 1] = blob end
  end
  return orphaned
end

-- Removes what a session holds, its keys with it, and not its row.
local function empty(name)
  redis.call('DEL', data_key(name))
  return let_go(name, referred(name))
end

local function remove(name)
  local orphaned = empty(name)
  redis.call('DEL', session_key(name))
  redis.call('ZREM', names, name)
  redis.call('ZREM', dues, name)
  return orphaned
end

-- A version as it is shown. What Redis has lost of it is empty, and told by whoever opens it.
local function show(session, version)
  for _, line in ipairs(versions(session.name)) do
    if line.version == version then
      local data = redis.call('HMGET', data_key(session.name), 'record', 'index:' .. version)
      return { version, line.fence, data[1] or '', data[2] or '', line.saved_at,
        session.expires_at and whole(session.expires_at) or false }
    end
  end
  if version == session.head then
    return { version, '0', '', '', '0', session.expires_at and whole(session.expires_at) or false }
  end
  return false
end

-- The checkpoint beside HEAD.
local function checkpoint(session)
  if not session.left_at then return false end
  local state = redis.call('HGET', data_key(session.name), 'state') or ''
  return { session.left_fence, session.left_base, state, whole(session.left_at) }
end

-- Names after `after` (empty: from the first), as many as `take` takes before it answers false.
local function walk(after, take)
  local from = after == '' and '-' or '(' .. after
  while true do
    local page = redis.call('ZRANGEBYLEX', names, from, '+', 'LIMIT', 0, 100)
    for _, name in ipairs(page) do
      if not take(name) then return end
    end
    if #page < 100 then return end
    from = '(' .. page[#page]
  end
end
