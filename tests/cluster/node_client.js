// The official RocketMQ 5 client for Node, sending and receiving until standard input ends.
//
//   node node_client.js ENDPOINT TOPIC GROUP      (NODE_PATH names the folder of its packages)
//
// Prints "ready", then a line of JSON for each message: {"sent": body, "began_s", "ended_s", "error"} or {"got": body, "attempt"}.
// Times are of the monotonic clock, in seconds, which all processes of a machine share.
'use strict';

const { ConsumeResult, Producer, PushConsumer } = require('rocketmq-client-nodejs');

const [endpoints, topic, group] = process.argv.slice(2);
const quiet = { info() {}, warn() {}, debug() {}, error(...words) { console.error(...words); } };
const nowS = () => Number(process.hrtime.bigint()) / 1e9;
const tell = (note) => process.stdout.write(JSON.stringify(note) + '\n');
let isOver = false;

async function send(producer, caller) {
  for (let number = 0; !isOver; number++) {
    const body = `${caller} ${number}`;
    const beganS = nowS();
    let error = '';
    try {
      await producer.send({ topic, body: Buffer.from(body) });
    } catch (failure) {
      error = `${failure.name}: ${failure.message}`;
    }
    tell({ sent: body, began_s: beganS, ended_s: nowS(), error });
    await new Promise((resolve) => setTimeout(resolve, error ? 50 : 10));
  }
}

async function main() {
  const consumer = new PushConsumer({
    endpoints, namespace: '', consumerGroup: group, logger: quiet, subscriptions: new Map([[topic, '*']]),
    messageListener: {
      async consume(message) {
        tell({ got: message.body.toString(), attempt: message.deliveryAttempt });
        return ConsumeResult.SUCCESS;
      },
    },
  });
  await consumer.startup();
  const producer = new Producer({ endpoints, namespace: '', logger: quiet, topics: [topic] });
  await producer.startup();
  process.stdout.write('ready\n');
  const sending = ['n1', 'n2', 'n3'].map((caller) => send(producer, caller));
  for await (const line of require('node:readline').createInterface({ input: process.stdin })) {
    if (line === 'stop') {
      isOver = true;
      await Promise.all(sending);
      process.stdout.write('stopped\n');
    }
  }
  process.exit(0);
}

main().catch((failure) => {
  console.error(failure);
  process.exit(1);
});
