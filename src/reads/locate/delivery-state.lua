-- Reads what Redis knows of an order, all at one moment; writes nothing. MULTI would do, but a full Redis takes none.
-- KEYS[1] counters   [2] stages   [3] hash of the user   [4] board by orders   [5] board by spend
-- KEYS[6..] ARGV[3] ledger buckets, then the streams
-- ARGV[1] user   [2] field in the ledger   [3] number of buckets   [4..] per delivery: number of its stream, group, entry id
-- Replies { time, counters, stages (field, value, ...), { orders, spend } of the user, { scores }, { values in the ledger },
--   per stream the groups of XINFO, per delivery the reply of XPENDING }; '' stands for nothing there

local call = redis.call
local buckets = tonumber(ARGV[3])
local function all(values)
  for i = 1, #values do values[i] = values[i] or '' end
  return values
end

local values, groups, pending, group_of = {}, {}, {}, {}
for i = 6, 5 + buckets do values[#values + 1] = call('HGET', KEYS[i], ARGV[2]) or '' end
for i = 6 + buckets, #KEYS do
  local stream = #groups + 1
  groups[stream] = call('EXISTS', KEYS[i]) == 1 and call('XINFO', 'GROUPS', KEYS[i]) or {}
  group_of[stream] = {}
  for _, fields in ipairs(groups[stream]) do
    for at = 1, #fields, 2 do
      if fields[at] == 'name' then group_of[stream][fields[at + 1]] = true end
    end
  end
end
for i = 4, #ARGV, 3 do
  local stream, group, id = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  local key = KEYS[5 + buckets + stream]
  pending[#pending + 1] = group_of[stream][group] and call('XPENDING', key, group, id, id, '1') or {}
end
local user = all(call('HMGET', KEYS[3], 'order_count', 'total_spend_minor'))
local scores = { call('ZSCORE', KEYS[4], ARGV[1]) or '', call('ZSCORE', KEYS[5], ARGV[1]) or '' }
return { call('TIME'), call('HGETALL', KEYS[1]), call('HGETALL', KEYS[2]), user, scores, values, groups, pending }
