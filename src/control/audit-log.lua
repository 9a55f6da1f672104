-- Writes an entry to the audit log, in place of the one that said that the action had begun, and enforces its limits: days, total
-- entries and entries of one name. So a busy name pushes out only its own entries. Operators give their names themselves: with the
-- token and changing names an operator can fill the audit log, but not the process log.
-- KEYS[1] pipeline:audit   [2] pipeline:audit:actors: a member for each entry, `<hash of the name> <id>`, all with score 0
-- ARGV[1] maximum entries   [2] maximum entries of one actor   [3] days   [4] by whom   [5] id of the entry to replace, or ''
-- ARGV[6] id of an entry that was already written, or ''   [7..] fields of the entry; none only removes the replaced one
-- Replies the id of the entry, or ''.

local stream, actors = KEYS[1], KEYS[2]
local max, max_own, days, by = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local function remove(name, id)
  redis.call('ZREM', actors, redis.sha1hex(name) .. ' ' .. id) -- first: if the set has another type, the entry stays
  redis.call('XDEL', stream, id)
end

local function name_in(fields)
  for at = 1, #fields, 2 do
    if fields[at] == 'by' then return fields[at + 1] end
  end
  return ''
end

local function ms_of(id) return tonumber(string.match(id, '^%d+')) end

if ARGV[5] ~= '' then remove(by, ARGV[5]) end
local id = ARGV[6]
if id == '' then
  if #ARGV == 6 then return '' end
  id = redis.call('XADD', stream, '*', unpack(ARGV, 7))
end

local actor = redis.sha1hex(by)
redis.call('ZADD', actors, 0, actor .. ' ' .. id)
local from, to = '[' .. actor .. ' ', '(' .. actor .. '!' -- '!' follows ' '
local over = redis.call('ZLEXCOUNT', actors, from, to) - max_own
if over > 0 then
  for _, member in ipairs(redis.call('ZRANGEBYLEX', actors, from, to, 'LIMIT', 0, over)) do
    remove(by, string.sub(member, #actor + 2))
  end
end

-- Ten at a time: each new entry makes room for itself, and after a lower limit the rest follows soon.
for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', 10)) do
  local old = ms_of(entry[1]) < ms_of(id) - days * 86400000
  if not old and redis.call('XLEN', stream) <= max then break end
  remove(name_in(entry[2]), entry[1])
end
return id
