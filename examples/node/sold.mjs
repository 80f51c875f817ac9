// node sold.mjs SELLER    What became of the orders for a seller's tickets up to now: reads the topic orders from its beginning.
// KAFKA_BROKERS and SCHEMA_REGISTRY_URL say where; npm ci, beside this file. kafkajs has no lz4 of its own: lz4js is that of all our records.
import avsc from "avsc";
import kafkajs from "kafkajs";
import lz4 from "lz4js";

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async ({ buffer }) => Buffer.from(lz4.compress(buffer)),
    decompress: async (buffer) => Buffer.from(lz4.decompress(buffer)),
});
const kafka = new Kafka({ brokers: process.env.KAFKA_BROKERS.split(","), logLevel: logLevel.ERROR });

const types = new Map(); // by the schema's number
async function decoded(value) { // a byte 0, the schema's number, the event
    const number = value.readInt32BE(1);
    if (!types.has(number)) {
        const answer = await (await fetch(`${process.env.SCHEMA_REGISTRY_URL}/schemas/ids/${number}`)).json();
        types.set(number, avsc.Type.forSchema(JSON.parse(answer.schema)));
    }
    return types.get(number).fromBuffer(value.subarray(5));
}

const admin = kafka.admin(), consumer = kafka.consumer({ groupId: `example-${crypto.randomUUID()}` });
await Promise.all([admin.connect(), consumer.connect()]);
const left = new Map((await admin.fetchTopicOffsets("orders")).filter((p) => p.low !== p.high).map((p) => [p.partition, p.high]));
const seen = new Set(), counts = {};
let revenue = 0, done;
const end = new Promise((resolve) => (done = resolve));
await consumer.subscribe({ topic: "orders", fromBeginning: true });
await consumer.run({ eachMessage: async ({ partition, message }) => {
    const event = await decoded(message.value), is = `${event.id} ${event.version}`; // one that comes again is none
    if (event.sellerId === process.argv[2] && !seen.has(is) && seen.add(is)) counts[event.type] = (counts[event.type] ?? 0) + 1;
    if (event.sellerId === process.argv[2] && event.type === "OrderCompleted") revenue += event.price;
    if (Number(message.offset) + 1 >= Number(left.get(partition))) left.delete(partition);
    if (left.size === 0) done();
} });
await end;
console.log([...Object.keys(counts).sort().map((type) => `${type} ${counts[type]}`), `revenue ${revenue}`].join("\n"));
process.exit();
