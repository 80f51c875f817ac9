// What a good team would write with Node.js and Redis: POST /api/shows/ID/queue adds the session's user to the show's sorted set, by the
// time, unless he is in it; 202 once Redis has it. ioredis sends what comes within one turn of its loop as one pipeline. Sessions are
// verified once, as ours are. Places go by time: no draw and no proof, to its advantage.
// server.js PORT REDIS_PORT PUBLIC_KEY_FILE; two processes share the port.
const cluster = require('node:cluster')
const crypto = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const Redis = require('ioredis')

const [port, redisPort, keyFile] = process.argv.slice(2)
const PROCESSES = 2

if (cluster.isPrimary) {
  for (let n = 0; n < PROCESSES; n++) cluster.fork()
} else {
  const redis = new Redis({ host: '127.0.0.1', port: Number(redisPort), enableAutoPipelining: true })
  const key = crypto.createPublicKey({ key: JSON.parse(fs.readFileSync(keyFile)).keys[0], format: 'jwk' })
  const users = new Map()

  const userOf = (request) => {
    const token = /session=([^;]+)/.exec(request.headers.cookie)?.[1] ?? ''
    if (!users.has(token)) {
      const [head, claims, signature] = token.split('.')
      if (!crypto.verify('RSA-SHA256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature ?? '', 'base64url'))) return null
      users.set(token, JSON.parse(Buffer.from(claims, 'base64url')).sub)
    }
    return users.get(token)
  }

  const join = async (request) => {
    const user = userOf(request)
    if (!user) return [401, { errors: [{ message: 'sign in' }] }]
    const show = request.url.split('/')[3]
    await redis.zadd(show, 'NX', Date.now(), user)
    return [202, { showId: show, userId: user }]
  }

  http.createServer(async (request, response) => {
    const [status, answer] = await join(request).catch((error) => [500, { errors: [{ message: error.message }] }])
    const text = JSON.stringify(answer)
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    response.end(text)
  }).listen(Number(port), '127.0.0.1')
}
