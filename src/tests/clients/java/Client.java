import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.utils.AppInfoParser;

/** The Java clients of any release from 0.10 on, with their defaults; see client.py for what the arguments mean. */
public class Client {
    static final String STRINGS = "org.apache.kafka.common.serialization.String";

    public static void main(String[] given) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", given[1]);
        if (given[0].equals("write")) {
            settings.put("key.serializer", STRINGS + "Serializer");
            settings.put("value.serializer", STRINGS + "Serializer");
            if (AppInfoParser.getVersion().startsWith("0.")) {
                // Its default is 0: what is on its way to a leader that crashes fails.
                settings.put("retries", 100);
            }
            write(settings, given[2], Integer.parseInt(given[3]), Integer.parseInt(given[4]), Integer.parseInt(given[5]));
        } else {
            settings.put("key.deserializer", STRINGS + "Deserializer");
            settings.put("value.deserializer", STRINGS + "Deserializer");
            settings.put("group.id", given[3]);
            settings.put("auto.offset.reset", "earliest");
            read(settings, given[2], Integer.parseInt(given[4]));
        }
    }

    static void write(Properties settings, String topic, int first, int count, int pause) throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            List<Future<?>> sent = new ArrayList<>();
            for (int number = first; number < first + count; number++) {
                sent.add(producer.send(new ProducerRecord<>(topic, Integer.toString(number))));
                Thread.sleep(pause);
            }
            for (Future<?> one : sent) {
                one.get(60, TimeUnit.SECONDS);
            }
        }
    }

    @SuppressWarnings("deprecation")
    static void read(Properties settings, String topic, int count) {
        Set<String> seen = new HashSet<>();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(Collections.singletonList(topic));
            while (seen.size() < count) {
                // The only poll that 0.10 has.
                for (ConsumerRecord<String, String> record : consumer.poll(1000)) {
                    seen.add(record.value());
                    System.out.println(record.value());
                }
            }
        }
    }
}
