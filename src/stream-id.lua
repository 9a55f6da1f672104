-- Included by scripts that compare the ids of stream entries, by the rules of stream-id.ts. An id is <ms>-<sequence>, both of
-- 64 bits: beyond a double, so they are compared as text.

local function id_parts(id) return id:match('^(%d+)-(%d+)$') end

local function number_before(a, b) -- both without leading zeros
  if #a ~= #b then return #a < #b end
  return a < b
end

local function id_before(a, b)
  local a_ms, a_sequence = id_parts(a)
  local b_ms, b_sequence = id_parts(b)
  if a_ms ~= b_ms then return number_before(a_ms, b_ms) end
  return number_before(a_sequence, b_sequence)
end

local function number_after(number)
  local kept, last, nines = number:match('^(%d-)(%d?)(9*)$')
  return kept .. (last + 1) .. ('0'):rep(#nines)
end

-- Returns the smallest id after this one; the greatest id has none, and is returned itself.
local function id_after(id)
  local ms, sequence = id_parts(id)
  if sequence ~= '18446744073709551615' then return ms .. '-' .. number_after(sequence) end
  return ms ~= '18446744073709551615' and number_after(ms) .. '-0' or id
end

-- Returns an id as text that sorts like ids do. An id that no clock has made has more digits, and is kept.
local function sortable_id(id)
  local ms, sequence = id_parts(id)
  return ('0'):rep(13 - #ms) .. ms .. '-' .. ('0'):rep(10 - #sequence) .. sequence
end

-- Returns the id of the last entry ever added to a stream; 0-0 if the stream does not exist.
local function last_id(stream)
  if redis.call('EXISTS', stream) == 0 then return '0-0' end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end
