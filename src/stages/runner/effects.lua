-- Included by commit.lua: the effects of a batch, as effects.ts encodes them. `hashes` holds per shape the names of its fields,
-- then per hash its key number and an amount per field; `boards` per board its key number, then scores and members.

local call, format = redis.call, string.format
local exact = 2 ^ 53 -- up to here a double is exact for every integer
local max_added = 2000 -- arguments of one ZADD: Lua passes some 8,000 at once

local function text(integer) -- Lua's own form has only 14 digits; %d is faster, but safe only for 32 bits
  return format(integer > -2147483648 and integer < 2147483648 and '%d' or '%.0f', integer)
end

local function probe(command, key, ...) -- names the key of another type; the error of Redis does not
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then return nil, redis.error_reply('ORDERS ' .. key .. ' cannot be used: ' .. reply.err) end
  return reply
end

-- Adds the amounts to the fields of the hashes, without writing. Returns per shape, at the index of each amount, the sum as
-- text; false if it is beyond a double's exact integers. Then the error of a field that cannot grow.
local function check_sums(hashes)
  local sums = {}
  for shape, hash in ipairs(hashes) do
    local fields, adds, after = hash[1], hash[2], {}
    for at = 1, #adds, #fields + 1 do
      local key = KEYS[adds[at]]
      local values, failed = probe('HMGET', key, unpack(fields))
      if failed then return sums, failed end
      for i, field in ipairs(fields) do
        local value, by = values[i] or '0', adds[at + i]
        local sum = tonumber(value)
        if sum and text(sum) == value and math.abs(sum + by) <= exact then
          after[at + i] = text(sum + by)
        elseif value:match('^%-?[1-9]%d*$') and math.abs(sum + by) <= 9e18 then -- accepted by HINCRBY; 64 bits end at 9.2e18
          after[at + i] = false
        else
          return sums, redis.error_reply('ORDERS ' .. key .. ' ' .. field .. ' is no integer that can grow')
        end
      end
    end
    sums[shape] = after
  end
  return sums
end

-- Writes the sums. Returns per key number its fields after this commit, as members of a JSON object.
local function write_sums(hashes, sums)
  local now = {}
  for shape, hash in ipairs(hashes) do
    local fields, adds, after, set, members, text_of = hash[1], hash[2], sums[shape], { 'HSET' }, {}, {}
    for i, field in ipairs(fields) do
      set[2 * i + 1] = field
      members[i] = ',' .. cjson.encode(field) .. ':'
    end
    for at = 1, #adds, #fields + 1 do
      local key = KEYS[adds[at]]
      set[2] = key
      for i, field in ipairs(fields) do
        local sum = after[at + i]
        if not sum then
          call('HINCRBY', key, field, text(adds[at + i]))
          sum = call('HGET', key, field)
        end
        set[2 * i + 2] = sum
        text_of[i] = members[i] .. sum
      end
      call(unpack(set))
      now[adds[at]] = (now[adds[at]] or '') .. table.concat(text_of)
    end
  end
  return now
end

-- Raises the scores of the boards.
local function raise_scores(boards)
  for _, board in ipairs(boards) do
    for from = 2, #board, max_added do
      local add = { 'ZADD', KEYS[board[1]], 'GT' }
      for i = from, math.min(from + max_added - 1, #board), 2 do
        add[#add + 1] = text(board[i])
        add[#add + 1] = board[i + 1]
      end
      call(unpack(add))
    end
  end
end
