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

-- Returns an error if a board, or a hash that a member is ranked by, is of another type.
local function check_ranks(ranks)
  for _, shape in ipairs(ranks) do
    for _, board in ipairs(shape[1]) do
      local _, failed = probe('ZCARD', KEYS[board[1]])
      if failed then return failed end
    end
    local members, at = shape[2], 1
    while at <= #members do
      local after = at + 2 + members[at + 1]
      for i = at + 2, after - 1 do
        local _, failed = probe('HLEN', KEYS[members[i]])
        if failed then return failed end
      end
      at = after
    end
  end
end

-- Returns the sum of fields over hashes. What is no number counts as 0, as it does for readers.
local function score_of(fields, members, first, last)
  local sum = 0
  for i = first, last do
    for _, value in ipairs(call('HMGET', KEYS[members[i]], unpack(fields))) do
      local number = value and tonumber(value)
      if number and math.abs(number) < math.huge then sum = sum + number end
    end
  end
  return sum
end

-- Sets the scores of members on their boards, and removes those whose first score is not above 0.
local function set_ranks(ranks)
  for _, shape in ipairs(ranks) do
    local boards, members, at = shape[1], shape[2], 1
    local adds, gone = {}, {}
    for i, board in ipairs(boards) do adds[i] = { 'ZADD', KEYS[board[1]] } end
    while at <= #members do
      local member, last = members[at], at + 1 + members[at + 1]
      for i, board in ipairs(boards) do
        local score = score_of(board[2], members, at + 2, last)
        if i == 1 and score <= 0 then
          gone[#gone + 1] = member
          break
        end
        local add = adds[i]
        add[#add + 1], add[#add + 2] = text(score), member
        if #add > max_added then
          call(unpack(add))
          adds[i] = { 'ZADD', KEYS[board[1]] }
        end
      end
      at = last + 1
    end
    for i, board in ipairs(boards) do
      if #adds[i] > 2 then call(unpack(adds[i])) end
      for from = 1, #gone, max_added do
        call('ZREM', KEYS[board[1]], unpack(gone, from, math.min(from + max_added - 1, #gone)))
      end
    end
  end
end
