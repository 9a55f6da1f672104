-- Included by commit.lua: the effects of a batch, as effects.ts encodes them. `hashes` holds per shape the names of its fields,
-- then per hash its key number and an amount per field; `ranks` per shape the boards, how many hashes a member has,
-- then members and the key numbers of their hashes; `expiries` per time its seconds since 1970, then the numbers of keys.

-- Loops over fields run for each user of a batch: there `for i = 1, #fields` costs half of ipairs.

local call, format, find, concat, abs = redis.call, string.format, string.find, table.concat, math.abs
local exact = 2 ^ 53 -- up to here a double is exact for every integer
local held = {} -- key number of a hash or board -> whether it held something before this commit
local latest = {} -- key number of a hash -> field -> its sum as text, of those that this commit has written
local max_added = 2000 -- arguments of one ZADD: Lua passes some 8,000 at once

local function text(integer) -- Lua's own form has only 14 digits; %d is faster, but safe only for 32 bits
  return format(integer > -2147483648 and integer < 2147483648 and '%d' or '%.0f', integer)
end

-- Returns the number in a text that is an integer in its only form; nil for other texts, and for those with 16 digits or more,
-- which may be beyond a double. It costs half of tonumber and a comparison with what `text` returns.
local function integer_in(value)
  if value == '0' or #value < 16 and find(value, '^%-?[1-9]%d*$') then return value + 0 end
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
      for i = 1, #fields do
        if values[i] then held[adds[at]] = true elseif held[adds[at]] == nil then held[adds[at]] = false end
        local value, by = values[i] or '0', adds[at + i]
        local sum = integer_in(value)
        if sum and abs(sum + by) <= exact then
          after[at + i] = text(sum + by)
        elseif find(value, '^%-?[1-9]%d*$') and abs(tonumber(value) + by) <= 9e18 then -- accepted by HINCRBY; 64 bits end at 9.2e18
          after[at + i] = false
        else
          return sums, redis.error_reply('ORDERS ' .. key .. ' ' .. fields[i] .. ' is no integer that can grow')
        end
      end
    end
    sums[shape] = after
  end
  return sums
end

-- Writes the sums. Returns per key number its fields after this commit, as members of a JSON object.
local function write_sums(hashes, sums, plan_ranks)
  local now = {}
  for shape, hash in ipairs(hashes) do
    local fields, adds, after, set, members = hash[1], hash[2], sums[shape], { 'HSET' }, {}
    for i, field in ipairs(fields) do
      set[2 * i + 1] = field
      members[2 * i - 1] = ',' .. cjson.encode(field) .. ':'
    end
    for at = 1, #adds, #fields + 1 do
      local key = KEYS[adds[at]]
      set[2] = key
      for i = 1, #fields do
        local sum = after[at + i]
        if not sum then
          call('HINCRBY', key, fields[i], text(adds[at + i]))
          sum = call('HGET', key, fields[i])
        end
        set[2 * i + 2], members[2 * i] = sum, sum
      end
      call(unpack(set))
      if plan_ranks then
        local values = latest[adds[at]] or {}
        for i = 3, #set, 2 do values[set[i]] = set[i + 1] end
        latest[adds[at]] = values
      end
      local before, more = now[adds[at]], concat(members)
      now[adds[at]] = before and before .. more or more
    end
  end
  return now
end

-- Returns the error of a board that is of another type.
local function check_boards(ranks)
  for _, rank in ipairs(ranks) do
    for _, by in ipairs(rank[1]) do
      local size, failed = probe('ZCARD', KEYS[by[1]])
      if failed then return failed end
      held[by[1]] = size > 0
    end
  end
end

-- Returns the error of a hash of another type that scores will be read from. Those that this commit adds to have been checked.
local function check_ranked(ranks)
  for _, rank in ipairs(ranks) do
    local count, members = rank[2], rank[3]
    for at = 1, #members, count + 1 do
      for i = at + 1, at + count do
        if held[members[i]] == nil then
          local _, failed = probe('HLEN', KEYS[members[i]])
          if failed then return failed end
        end
      end
    end
  end
end

-- Returns the fields of a hash if this commit has written all of them.
local function latest_of(number, fields)
  local known = latest[number]
  if not known then return nil end
  local values = {}
  for i, field in ipairs(fields) do
    if not known[field] then return nil end
    values[i] = known[field]
  end
  return values
end

local function number_in(value) -- what is no number counts as 0, as it does for readers
  local number = value and tonumber(value)
  return number and abs(number) < math.huge and number or 0
end

-- Adds up the values from one index to another. Returns the sum as text, and true if it is above 0.
local function score_of(values, from, last)
  local integer = from == last and values[from] and integer_in(values[from])
  if integer then return values[from], integer > 0 end
  local sum = 0
  for i = from, last do sum = sum + number_in(values[i]) end
  return text(sum), sum > 0
end

-- Adds up the scores of all members, from their hashes as they are. Returns per shape and board { score, member, ... }, with
-- the members that leave all boards as `gone`; then the error of a key that is of another type.
local function read_scores(ranks)
  local scores = {}
  for shape, rank in ipairs(ranks) do
    local boards, count, members, fields, ends = rank[1], rank[2], rank[3], {}, {}
    local of = { gone = {} }
    scores[shape] = of
    for board, by in ipairs(boards) do
      for _, field in ipairs(by[2]) do fields[#fields + 1] = field end
      of[board], ends[board] = {}, #fields
    end
    for at = 1, #members, count + 1 do
      local member, values = members[at], nil
      for i = at + 1, at + count do
        local found, failed = latest_of(members[i], fields)
        if not found then found, failed = probe('HMGET', KEYS[members[i]], unpack(fields)) end
        if failed then return scores, failed end
        if values then
          for j = 1, #fields do values[j] = text(number_in(values[j]) + number_in(found[j])) end
        else
          values = found
        end
      end
      local field = 1
      values = values or {} -- of a member without hashes, who leaves the boards
      for board = 1, #boards do
        local score, positive = score_of(values, field, ends[board])
        if board == 1 and not positive then
          of.gone[#of.gone + 1] = member
          break
        end
        local list = of[board]
        local size = #list
        list[size + 1], list[size + 2] = score, member
        field = ends[board] + 1
      end
    end
  end
  return scores
end

local function call_in_parts(command, key, list)
  for from = 1, #list, max_added do
    call(command, key, unpack(list, from, math.min(from + max_added - 1, #list)))
  end
end

-- Sets the scores of members on their boards, and removes those that leave: last, as Redis deletes an empty board with its expiry.
local function set_scores(ranks, scores)
  for shape, rank in ipairs(ranks) do
    for board, by in ipairs(rank[1]) do call_in_parts('ZADD', KEYS[by[1]], scores[shape][board]) end
  end
  for shape, rank in ipairs(ranks) do
    for _, by in ipairs(rank[1]) do call_in_parts('ZREM', KEYS[by[1]], scores[shape].gone) end
  end
end

-- Sets when the keys expire that this commit has made. Later commits need not set it again.
local function set_expiries(expiries)
  for _, group in ipairs(expiries or {}) do
    for i = 2, #group do
      if not held[group[i]] then call('EXPIREAT', KEYS[group[i]], text(group[1])) end
    end
  end
end
