// What a good team would write with Node.js and Postgres: POST /api/purchases {showId, quantity}, a transaction a purchase. The first
// free seats by rank, locked past those that others are buying; orders; an outbox. Seats need not be side by side, there is no
// idempotency key and no limit but the number of unpaid tickets: all to its advantage. Sessions are verified once, as ours are.
// server.js PORT DATABASE_URL PUBLIC_KEY_FILE; two processes share the port, with 16 connections each.
const cluster = require('node:cluster')
const crypto = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const { Pool } = require('pg')

const [port, url, keyFile] = process.argv.slice(2)
const PROCESSES = 2, CONNECTIONS = 16, MOST = 10

if (cluster.isPrimary) {
  for (let n = 0; n < PROCESSES; n++) cluster.fork()
} else {
  const pool = new Pool({ connectionString: url, max: CONNECTIONS })
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

  const statement = (name, text) => (client, ...values) => client.query({ name, text, values })
  const held = statement('held', `select count(*)::int as n from orders where user_id = $1 and status = 'created'`)
  const seats = statement('seats', `select id, price from seats where show_id = $1 and status = 'free' order by rank limit $2
                                       for update skip locked`)
  const take = statement('take', `update seats set status = 'held' where id = any ($1)`)
  const order = statement('order', `insert into orders (id, purchase_id, seat_id, user_id, status, price, expires_at)
                                    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[])
                                      cross join lateral (select now() + interval '15 min') t
                                    returning id, expires_at`)
  const outbox = statement('outbox', `insert into outbox (topic, key, event) select 'orders', * from unnest($1::text[], $2::json[])`)

  const place = async (user, { showId, quantity }) => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      const { rows: [{ n }] } = await held(client, user)
      if (n + quantity > MOST) { await client.query('rollback'); return [409, { errors: [{ message: 'too many unpaid tickets' }] }] }
      const { rows: found } = await seats(client, showId, quantity)
      if (found.length < quantity) { await client.query('rollback'); return [409, { errors: [{ message: 'sold out' }] }] }
      const purchase = crypto.randomUUID()
      const all = (value) => found.map(() => value)
      await take(client, found.map((seat) => seat.id))
      const { rows: orders } = await order(client, found.map(() => crypto.randomUUID()), all(purchase), found.map((seat) => seat.id),
        all(user), all('created'), found.map((seat) => seat.price))
      await outbox(client, found.map((seat) => seat.id), found.map((seat, i) => JSON.stringify({ type: 'OrderCreated', id: orders[i].id,
        seatId: seat.id, purchaseId: purchase, userId: user, price: seat.price })))
      await client.query('commit')
      return [201, { id: purchase, expiresAt: orders[0].expires_at, orders: found.map((seat, i) => ({ id: orders[i].id, seat: seat.id })) }]
    } catch (error) {
      await client.query('rollback').catch(() => {})
      return [500, { errors: [{ message: error.message }] }]
    } finally {
      client.release()
    }
  }

  http.createServer((request, response) => {
    let body = ''
    request.on('data', (piece) => { body += piece })
    request.on('end', async () => {
      const user = userOf(request)
      const [status, answer] = user ? await place(user, JSON.parse(body)) : [401, { errors: [{ message: 'sign in' }] }]
      const text = JSON.stringify(answer)
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
      response.end(text)
    })
  }).listen(Number(port), '127.0.0.1')
}
