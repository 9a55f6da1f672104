-- Removes records from the invalid channel (stream, list and group) and writes them to their target, in one step.
--
-- KEYS[1] invalid stream   [2] invalid list   [3] target stream   [4] counters   [5] outcome of the job
-- KEYS[6] layout   [7] token of the last comparison   [8..] the sorted sets of all groups
-- ARGV[1] 'replay' (to orders:raw), 'return' (to the stage that rejected them), 'discard', or 'withdraw': from the
--   channel into the job's outcome, to be sent in another partition; only one of several jobs gets it. 'remove': only that
-- ARGV[2] maximum number of records that the job may send   [3] seconds the outcome is kept
-- ARGV[4] of 'return' the stage's counter of rejected orders   [5] the stage
--      of 'discard' the reason   [5] by whom   [6] when
--      of 'remove' the counter
-- ARGV[7] the caller's number of partitions
-- ARGV[8..] oldest first, per record its id, the number of its group among KEYS, its number of orders, and the
--   record for the stream (JSON)
--
-- Replies the ids taken; none if the job was cancelled (see cancel.lua). Leaves out ids that another call has taken and those
-- over the limit: each record is sent once, even if the call is repeated after a lost reply or two jobs run at once. Fails if
-- the partitions have changed.

-- include ../../stream-id.lua

local layout = redis.call('GET', KEYS[6])
if layout and layout ~= ARGV[7] then
  return redis.error_reply('ORDLAYOUT ' .. layout .. ' ' .. ARGV[7])
end

if redis.call('HEXISTS', KEYS[5], 'cancelled') == 1 then return {} end

local mode, limit = ARGV[1], tonumber(ARGV[2])
local sent = tonumber(redis.call('HGET', KEYS[5], 'sent') or '0')

-- The list is newest first, so the index of an entry is the number of newer ones.
local function newer_than(member)
  local newer = 0
  for i = 8, #KEYS do newer = newer + redis.call('ZLEXCOUNT', KEYS[i], '(' .. member, '+') end
  return newer
end

redis.call('XLEN', KEYS[3]) -- commands that can fail come before the first write: Redis keeps what a failed script wrote
redis.call('HLEN', KEYS[4])
local compared = redis.call('GET', KEYS[7]) or ''
local taken, records, orders, marks = {}, {}, 0, 0
for i = 8, #ARGV, 4 do
  local id, group = ARGV[i], KEYS[tonumber(ARGV[i + 1])]
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry and sent + #taken < limit then
    local member = sortable_id(id)
    local at = newer_than(member)
    local line = redis.call('LINDEX', KEYS[2], at)
    local prefix = '{"id":"' .. id .. '",'
    if line and line:sub(1, #prefix) == prefix then
      redis.call('LSET', KEYS[2], at, '') -- removed below, in one pass
      marks = marks + 1
    else -- another client has changed the list
      redis.call('LREM', KEYS[2], -1, prefix .. entry[2][4]:sub(2))
    end
    redis.call('ZREM', group, member)
    redis.call('XDEL', KEYS[1], id)
    taken[#taken + 1] = id
    records[#records + 1] = ARGV[i + 3]
    orders = orders + tonumber(ARGV[i + 2])
  end
end
if #taken == 0 then return taken end
if marks > 0 then redis.call('LREM', KEYS[2], -marks, '') end -- from the tail, where the oldest are

if mode == 'discard' then
  for _, record in ipairs(records) do
    redis.call('XADD', KEYS[3], '*', 'record', record, 'reason', ARGV[4], 'by', ARGV[5], 'ts', ARGV[6])
  end
  redis.call('HINCRBY', KEYS[4], 'discarded', #taken)
  return taken
end

if mode == 'withdraw' or mode == 'remove' then
  redis.call('HINCRBY', KEYS[4], mode == 'remove' and ARGV[4] or 'replayed', #taken)
end
if mode == 'remove' then return taken end

if mode == 'withdraw' then
  redis.call('HSET', KEYS[5], 'withdrawn', records[1])
  redis.call('EXPIRE', KEYS[5], ARGV[3])
  return taken
end

local entry = { 'n', orders, 'c', '1', 'r', '[' .. table.concat(records, ',') .. ']' }
if mode == 'return' then -- other groups of the stream have had these orders: the entry is only for this one
  entry[#entry + 1] = 'g'
  entry[#entry + 1] = ARGV[5]
  if compared:find('^archive:') then redis.call('DEL', KEYS[7]) end -- its flip would count these orders, too
end
redis.call('XADD', KEYS[3], '*', unpack(entry))
if mode == 'replay' then
  redis.call('HINCRBY', KEYS[4], 'received', orders)
  redis.call('HINCRBY', KEYS[4], 'replayed', #taken)
else
  redis.call('HINCRBY', KEYS[4], ARGV[4], -orders)
  redis.call('HINCRBY', KEYS[5], 'returned', #taken)
end
redis.call('HINCRBY', KEYS[5], 'sent', #taken)
redis.call('EXPIRE', KEYS[5], ARGV[3])
return taken
