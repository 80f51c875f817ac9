/* bench.js PORT JOBS RATE SECONDS: delayed jobs by BullMQ on a Redis at 127.0.0.1:PORT. Prints a line a measure: name and value. */
const { Queue, Worker } = require("bullmq");
const Redis = require("ioredis");
const { randomUUID } = require("crypto");

const [port, jobs, rate, seconds] = process.argv.slice(2).map(Number);
const BULK = 1000, AT_ONCE = 200, HOLD = 900000;
const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
const redis = new Redis(connection);
const queue = new Queue("expiration", { connection, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } });

const report = (measure, value) => console.log(`${measure} ${value.toFixed(3)}`);
const memory = async () => Number((await redis.info("memory")).match(/used_memory:(\d+)/)[1]);

/* What an expiration needs to know: the order (its id is the job's) and the ticket. */
async function insert(count, due) {
  const ids = [];
  for (let n = 0; n < count; n += BULK) {
    const bulk = [];
    for (let i = n; i < Math.min(n + BULK, count); i++) {
      const jobId = randomUUID(), at = due(i);
      bulk.push({ name: "expire", data: { ticketId: jobId, due: at }, opts: { jobId, delay: Math.max(1, at - Date.now()) } });
      ids.push(jobId);
    }
    await queue.addBulk(bulk);
  }
  return ids;
}

async function cancelAll(ids) {
  let next = 0;
  const lane = async () => {
    while (next < ids.length) await queue.remove(ids[next++]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/* Resolves with the lateness of each, in ms, and when the last one came. */
function work(count) {
  const late = [];
  return new Promise((done, failed) => {
    const worker = new Worker("expiration", async (job) => {
      late.push(Date.now() - job.data.due);
      if (late.length === count) {
        const end = Date.now();
        setImmediate(() => worker.close(true).then(() => done({ late: late.sort((a, b) => a - b), end }), failed));
      }
    }, { connection, concurrency: AT_ONCE });
    worker.on("error", failed);
  });
}

async function main() {
  const before = await memory();
  let begin = process.hrtime.bigint();
  const ids = await insert(jobs, () => Date.now() + HOLD);
  report("inserts", jobs / Number(process.hrtime.bigint() - begin) * 1e9);
  report("bytes_a_timer", (await memory() - before) / jobs);
  begin = process.hrtime.bigint();
  await cancelAll(ids);
  report("cancels", jobs / Number(process.hrtime.bigint() - begin) * 1e9);

  /* All due at one moment, once all are in. */
  const moment = Date.now() + 1000 + jobs / 5;
  await insert(jobs, () => moment);
  await new Promise((done) => setTimeout(done, Math.max(0, moment - Date.now() - 1000)));
  const burst = await work(jobs);
  report("expiries", jobs / (burst.end - moment) * 1000);

  /* A steady rate, inserted before the first is due. */
  const count = rate * seconds, first = Date.now() + 1000 + count / 5;
  await insert(count, (i) => Math.floor(first + i / rate * 1000));
  const steady = await work(count);
  report("late_p50_ms", steady.late[Math.floor(count / 2)]);
  report("late_p99_ms", steady.late[Math.floor(count * 99 / 100)]);
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
