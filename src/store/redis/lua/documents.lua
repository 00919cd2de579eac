-- What all scripts about documents share; it stands before each of them. What is kept in which key: see mod.rs.
--
-- KEYS begins with the tenant's `documents` and `documents-due`. A document's place is its kind, a zero byte and its name.

local places, dues = KEYS[1], KEYS[2]
local prefix = string.sub(places, 1, -string.len('documents') - 1)

local clock = redis.call('TIME')
local real = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local now = tonumber(ARGV[1]) or real

-- The last moment that there is: the end of the year 9999. What would be later is never.
local LAST = 253402207200000000

-- A number as it is written; Lua's own way loses digits.
local function whole(number) return string.format('%.0f', number) end

local function key_of(place) return prefix .. 'document:' .. string.gsub(place, '%z', ':') end

-- The value at a place and when it runs out, unless it has.
local function find(place)
  local found = redis.call('HMGET', key_of(place), 'value', 'expires_at')
  local expires_at = tonumber(found[2])
  if not found[1] or (expires_at and expires_at <= now) then return false, nil end
  return found[1], expires_at
end

local function remove(place)
  redis.call('DEL', key_of(place))
  redis.call('ZREM', places, place)
  redis.call('ZREM', dues, place)
end

-- Documents at the places after `from` up to `to` (both as ZRANGEBYLEX takes them), at most `limit`.
local function collect(from, to, limit)
  local found = {}
  while #found < limit do
    local page = redis.call('ZRANGEBYLEX', places, from, to, 'LIMIT', 0, 100)
    for _, place in ipairs(page) do
      local value, expires_at = find(place)
      if value and #found < limit then
        found[#found + 1] = { place, value, expires_at and whole(expires_at) or false }
      end
    end
    if #page < 100 then break end
    from = '(' .. page[#page]
  end
  return found
end
