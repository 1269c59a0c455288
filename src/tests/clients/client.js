// kafkajs with its defaults; see client.py for what the arguments mean.
const { Kafka, logLevel } = require('kafkajs')

const [client, what, broker, topic, ...rest] = process.argv.slice(2)
if (client !== 'kafkajs') throw new Error(`no client ${client}`)
const kafka = new Kafka({ brokers: broker.split(','), logLevel: logLevel.ERROR })

async function write(first, count, pause) {
  const producer = kafka.producer()
  await producer.connect()
  const sent = []
  for (let number = first; number < first + count; number++) {
    sent.push(producer.send({ topic, messages: [{ value: `${number}` }] }))
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
  await Promise.all(sent)
  await producer.disconnect()
}

async function read(groupId, count) {
  const consumer = kafka.consumer({ groupId })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Set()
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error))
    // A batch's offsets are committed at its end.
    consumer.on(consumer.events.COMMIT_OFFSETS, () => seen.size >= count && resolve())
    const eachMessage = async ({ message }) => {
      seen.add(message.value.toString())
      console.log(message.value.toString())
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  await consumer.disconnect()
}

const done = what === 'write' ? write(...rest.map(Number)) : read(rest[0], Number(rest[1]))
done.catch((error) => {
  console.error(error)
  process.exit(1)
})
