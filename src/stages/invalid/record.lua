-- Included by scripts that write the invalid channel: a stream, a list and one sorted set per group. See record.ts.

-- Returns a function that makes ids for the stream. With `partition`, { step, rest }, their sequences are ≡ rest (mod step), so
-- that ids of all partitions differ.
local function invalid_id_maker(stream, partition, now_ms)
  if not partition then return function() return '*' end end
  local ms, sequence = id_parts(last_id(stream))
  local last_ms, last_sequence = tonumber(ms), tonumber(sequence)
  if now_ms > last_ms then last_ms, last_sequence = now_ms, -1 end
  return function()
    local after = last_sequence + 1
    last_sequence = after + (partition.rest - after) % partition.step
    return string.format('%.0f-%.0f', last_ms, last_sequence)
  end
end

-- Adds an entry of the stream to the list and to its group. @param record JSON without the first brace
local function file_invalid(list, group, id, record)
  redis.call('LPUSH', list, '{"id":"' .. id .. '",' .. record)
  if group then redis.call('ZADD', group, 0, sortable_id(id)) end
end
