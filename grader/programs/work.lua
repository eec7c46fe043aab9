-- Work for Debian's lua5.4: strings and tables with a million steps each, sorting,
-- closures, coroutines, integer and float arithmetic, files.
local N = 1000000
local t = {}
for i = 1, N do t[i] = (i * 7919) % 1000003 end
table.sort(t)
local sum, odd = 0, 0
for i = 1, N do
    sum = (sum * 31 + t[i]) % 4294967291
    if t[i] % 2 == 1 then odd = odd + 1 end
end
print("table", t[1], t[N // 2], t[N], sum, odd)

local parts = {}
for i = 1, N do parts[#parts + 1] = string.char(97 + i % 26) end
local text = table.concat(parts)
local count = 0
for _ in text:gmatch("xyz") do count = count + 1 end
print("string", #text, count, text:sub(1, 30):upper(), text:rep(2):find("zab", 1, true))

local words = {}
for i = 1, 100000 do
    local key = ("k%d"):format(i % 5003)
    words[key] = (words[key] or 0) + i
end
local keys = {}
for k in pairs(words) do keys[#keys + 1] = k end
table.sort(keys)
print("hash", #keys, keys[1], words[keys[1]], words.k5002)

local function generate(n)
    return coroutine.wrap(function() for i = 1, n do coroutine.yield(i * i) end end)
end
local squares = 0
for v in generate(100000) do squares = squares + v end
print("coroutine", squares)

local x = 0.0
for i = 1, N do x = x + 1.0 / i end
print("float", ("%.12f"):format(x), ("%.6e"):format(math.sin(1) * math.exp(3)))
print("integer", 1 << 62, -7 // 2, -7 % 3, math.maxinteger + 1 == math.mininteger)

local name = os.tmpname()
local file = assert(io.open(name, "w"))
for i = 1, 20000 do file:write(i, "\n") end
file:close()
local lines = 0
for line in io.lines(name) do lines = lines + tonumber(line) end
os.remove(name)
print("file", lines, io.open(name) == nil)
print("error", select("#", pcall(function() error({ code = 7 }) end)), pcall(error, "text", 0))
