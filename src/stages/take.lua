-- Takes records off the invalid channel, all of it at once: stream, list and group; and puts them where they go.
--
-- KEYS[1] invalid stream   [2] invalid list   [3] stream they go to   [4] counters   [5] outcome of the ticket
-- KEYS[6..] the sorted sets of all groups
-- ARGV[1] 'replay' or 'discard'   [2] most records the ticket may have sent   [3] seconds the outcome is kept
-- ARGV[4..] oldest first, per record its id, the number of its group among KEYS, and what goes on the stream: for 'replay' a raw
--   record (JSON), for 'discard' the fields record, reason, by and ts as a JSON array
--
-- Replies the ids taken. An id that is no longer there was taken by somebody else and is left out, and so is what is
-- over the limit: sent again after a lost reply, or by two jobs at once, each record goes once.

local mode, limit = ARGV[1], tonumber(ARGV[2])
local replaying = mode == 'replay'
local sent = replaying and tonumber(redis.call('HGET', KEYS[5], 'sent') or '0') or 0

local function sortable(id)
  local ms, sequence = id:match('(%d+)-(%d+)')
  return ms .. '-' .. string.rep('0', 10 - #sequence) .. sequence
end

-- The list is newest first, so an entry stands behind as many as are newer.
local function newer_than(member)
  local newer = 0
  for i = 6, #KEYS do newer = newer + redis.call('ZLEXCOUNT', KEYS[i], '(' .. member, '+') end
  return newer
end

redis.call('XLEN', KEYS[3]) -- what can fail is done before the first write: Redis keeps what a failed script wrote
redis.call('HLEN', KEYS[4])
local taken, records = {}, {}
for i = 4, #ARGV, 3 do
  local id, group = ARGV[i], KEYS[tonumber(ARGV[i + 1])]
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry and sent + #taken < limit then
    local member = sortable(id)
    local at = newer_than(member)
    local line = redis.call('LINDEX', KEYS[2], at)
    local prefix = '{"id":"' .. id .. '",'
    if line and line:sub(1, #prefix) == prefix then
      redis.call('LSET', KEYS[2], at, '') -- removed below, all in one pass
    else -- somebody else has changed the list
      redis.call('LREM', KEYS[2], -1, prefix .. entry[2][4]:sub(2))
    end
    redis.call('ZREM', group, member)
    redis.call('XDEL', KEYS[1], id)
    taken[#taken + 1] = id
    records[#records + 1] = ARGV[i + 2]
  end
end
if #taken == 0 then return taken end
redis.call('LREM', KEYS[2], 0, '')

if replaying then
  redis.call('XADD', KEYS[3], '*', 'n', #taken, 'c', '1', 'r', '[' .. table.concat(records, ',') .. ']')
  redis.call('HINCRBY', KEYS[4], 'received', #taken)
  redis.call('HINCRBY', KEYS[4], 'replayed', #taken)
  redis.call('HINCRBY', KEYS[5], 'sent', #taken)
  redis.call('EXPIRE', KEYS[5], ARGV[3])
else
  for _, record in ipairs(records) do redis.call('XADD', KEYS[3], '*', unpack(cjson.decode(record))) end
  redis.call('HINCRBY', KEYS[4], 'discarded', #taken)
end
return taken
