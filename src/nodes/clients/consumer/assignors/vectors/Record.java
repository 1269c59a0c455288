import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * Asks the assignors of a real Java client, and prints a line of JSON for each of the drawn groups.
 * record.py runs it for every release and keeps the answers in assignors.json.
 *
 * Assignors differ in their interface (before 2.4 an internal class), so all that differs is called by reflection.
 */
public class Record {
    static final String CLIENTS = "org.apache.kafka.clients.consumer.";
    static final int GROUPS = 150;

    record Member(String id, String instance, List<String> topics, List<TopicPartition> had, int generation, String rack) {}
    record Group(boolean again, List<PartitionInfo> partitions, List<Member> members) {}

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> leaders = new HashMap<>();
        List<Group> groups = draw(new Random(15));
        for (int at = 0; at < groups.size(); at++) {
            Group group = groups.get(at);
            List<String> answers = new ArrayList<>();
            for (String name : List.of("Range", "RoundRobin", "Sticky", "CooperativeSticky")) {
                if (!group.again()) leaders.put(name, assignor(name));
                if (leaders.get(name) == null) continue;
                answers.add(quote(name) + ":" + answer(leaders.get(name), name, group, at < 12));
            }
            System.out.println("{" + input(group) + ",\"answers\":{" + String.join(",", answers) + "}}");
        }
    }

    // What is drawn. It must not depend on the release.

    static List<Group> draw(Random random) {
        List<Group> groups = new ArrayList<>();
        for (int at = 0; at < GROUPS; at++) {
            boolean big = at % 25 == 24;
            int racks = random.nextInt(100) < 40 ? 1 + random.nextInt(4) : 0;
            List<String> names = new ArrayList<>();
            for (int topic = 0; topic < 1 + random.nextInt(big ? 9 : 5); topic++) names.add(name(random));
            List<PartitionInfo> partitions = new ArrayList<>();
            int alike = random.nextInt(8);
            for (String topic : new TreeSet<>(names)) {
                int count = random.nextInt(100) < 30 ? alike : random.nextInt(big ? 20 : 9);
                for (int partition = 0; partition < count; partition++)
                    partitions.add(new PartitionInfo(topic, partition, null, replicas(random, racks), new Node[0]));
            }
            groups.add(new Group(at > 0 && random.nextInt(100) < 20, partitions,
                members(random, racks, new ArrayList<>(new TreeSet<>(names)), partitions, big ? 4 + random.nextInt(9) : 1 + random.nextInt(6))));
        }
        return groups;
    }

    static String name(Random random) {
        List<String> words = List.of("orders", "payments", "a", "b", "topic", "t", "clicks", "page-views", "audit.log", "users_v2");
        return words.get(random.nextInt(words.size())) + (random.nextBoolean() ? "" : "-" + random.nextInt(30));
    }

    static Node[] replicas(Random random, int racks) {
        Node[] replicas = new Node[1 + random.nextInt(3)];
        for (int at = 0; at < replicas.length; at++) {
            String rack = racks == 0 || random.nextInt(100) < 5 ? null : "r" + random.nextInt(racks);
            replicas[at] = new Node(at, "b" + at, 9092, rack);
        }
        return replicas;
    }

    static List<Member> members(Random random, int racks, List<String> topics, List<PartitionInfo> partitions, int count) {
        boolean same = random.nextInt(100) < 55, fixed = random.nextInt(100) < 25;
        int memory = random.nextInt(10);
        List<List<TopicPartition>> had = new ArrayList<>();
        for (int at = 0; at < count; at++) had.add(new ArrayList<>());
        List<PartitionInfo> known = new ArrayList<>(partitions);
        if (random.nextInt(100) < 20) known.add(new PartitionInfo("gone", 0, null, null, null));
        if (!partitions.isEmpty() && random.nextInt(100) < 20) known.add(new PartitionInfo(partitions.get(0).topic(), 90, null, null, null));
        Collections.shuffle(known, random);
        int owners = 1 + random.nextInt(count);
        for (PartitionInfo partition : known) {
            TopicPartition at = new TopicPartition(partition.topic(), partition.partition());
            if (memory >= 3 && random.nextInt(100) < 85) had.get(random.nextInt(owners)).add(at);
            if (memory >= 8 && random.nextInt(100) < 40) had.get(random.nextInt(count)).add(at);
        }
        List<Member> members = new ArrayList<>();
        for (int at = 0; at < count; at++) {
            List<String> wanted = new ArrayList<>(topics);
            if (!same) wanted.removeIf(topic -> random.nextInt(100) < 35);
            Collections.shuffle(wanted, random);
            String id = "consumer-" + (1 + random.nextInt(3)) + "-" + new UUID(random.nextLong(), random.nextLong());
            String instance = fixed && random.nextInt(100) < 70 ? "i" + random.nextInt(100) + "-" + at : null;
            int generation = random.nextInt(100) < (memory >= 6 ? 60 : 95) ? 5 : 2 + random.nextInt(4);
            String rack = racks > 0 && random.nextInt(100) < 85 ? "r" + random.nextInt(racks + 1) : null;
            boolean fresh = memory < 3 || had.get(at).isEmpty() && random.nextBoolean();
            List<TopicPartition> kept = new ArrayList<>(new LinkedHashSet<>(had.get(at)));
            members.add(new Member(id, instance, wanted, fresh ? null : kept, fresh ? -1 : generation, rack));
        }
        return members;
    }

    // What the client does with it.

    static Object assignor(String name) throws Exception {
        try {
            return Class.forName(CLIENTS + name + "Assignor").getConstructor().newInstance();
        } catch (ClassNotFoundException missing) {
            return null;
        }
    }

    static Class<?> type(String name) throws ClassNotFoundException {
        try {
            return Class.forName(CLIENTS + "ConsumerPartitionAssignor$" + name);
        } catch (ClassNotFoundException before24) {
            return Class.forName(CLIENTS + "internals.PartitionAssignor$" + name);
        }
    }

    static Object call(Object target, Class<?> type, String name, Object... arguments) throws Exception {
        for (Method method : type.getMethods()) {
            Class<?>[] taken = method.getParameterTypes();
            if (!method.getName().equals(name) || taken.length != arguments.length) continue;
            boolean fits = true;
            for (int at = 0; at < taken.length; at++)
                fits &= arguments[at] == null || taken[at].isInstance(arguments[at]) || taken[at] == int.class && arguments[at] instanceof Integer;
            if (!fits) continue;
            method.setAccessible(true);
            return method.invoke(target, arguments);
        }
        throw new NoSuchMethodException(name);
    }

    static Object construct(Class<?> type, Object... arguments) throws Exception {
        for (Constructor<?> constructor : type.getConstructors())
            if (constructor.getParameterCount() == arguments.length) return constructor.newInstance(arguments);
        throw new NoSuchMethodException(type + " of " + arguments.length);
    }

    static final class Schemas {
        static ByteBuffer write(String kind, Object value) throws Exception {
            Class<?> protocol = Class.forName(CLIENTS + "internals.ConsumerProtocol");
            for (Method method : protocol.getMethods())
                if (method.getName().equals("serialize" + kind) && method.getParameterCount() == 1)
                    return (ByteBuffer) method.invoke(null, value);
            throw new NoSuchMethodException(kind);
        }

        static Object read(ByteBuffer bytes) throws Exception {
            return call(null, Class.forName(CLIENTS + "internals.ConsumerProtocol"), "deserializeSubscription", bytes);
        }
    }

    static ByteBuffer subscription(String name, Member member) throws Exception {
        Object assignor = assignor(name);
        if (member.had() != null) remember(assignor, member);
        List<String> topics = new ArrayList<>(member.topics());
        Class<?> subscription = type("Subscription");
        List<TopicPartition> owned = name.equals("CooperativeSticky") && member.had() != null ? member.had() : List.of();
        Object said;
        if (subscription.getName().contains("PartitionAssignor$") && !subscription.getName().contains("ConsumerPartition")) {
            Object answer = call(assignor, assignor.getClass(), "subscription", new LinkedHashSet<>(topics));
            ByteBuffer data = (ByteBuffer) call(answer, subscription, "userData");
            said = construct(subscription, topics, data);
        } else {
            ByteBuffer data = (ByteBuffer) call(assignor, assignor.getClass(), "subscriptionUserData", new LinkedHashSet<>(topics));
            try {
                said = construct(subscription, topics, data, owned, member.generation(), Optional.ofNullable(member.rack()));
            } catch (NoSuchMethodException before34) {
                said = construct(subscription, topics, data, owned);
            }
        }
        return Schemas.write("Subscription", said);
    }

    static void remember(Object assignor, Member member) throws Exception {
        Class<?> assignment = type("Assignment");
        Object had = assignment.getConstructor(List.class).newInstance(member.had());
        try {
            Class<?> metadata = Class.forName(CLIENTS + "ConsumerGroupMetadata");
            Object of = metadata.getConstructor(String.class, int.class, String.class, Optional.class)
                .newInstance("g", member.generation(), member.id(), Optional.empty());
            call(assignor, assignor.getClass(), "onAssignment", had, of);
        } catch (ClassNotFoundException before24) {
            try {
                call(assignor, assignor.getClass(), "onAssignment", had, member.generation());
            } catch (NoSuchMethodException before23) {
                call(assignor, assignor.getClass(), "onAssignment", had);
            }
        }
    }

    @SuppressWarnings("unchecked")
    static String answer(Object leader, String name, Group group, boolean bytes) throws Exception {
        List<String> said = new ArrayList<>();
        Map<String, Object> subscriptions = new HashMap<>();
        for (Member member : group.members()) {
            ByteBuffer written = subscription(name, member);
            said.add(quote(hex(written)));
            Object subscription = Schemas.read(written.duplicate());
            try {
                call(subscription, subscription.getClass(), "setGroupInstanceId", Optional.ofNullable(member.instance()));
            } catch (NoSuchMethodException before24) {
                // Those releases have no static members in their assignors.
            }
            subscriptions.put(member.id(), subscription);
        }
        Cluster cluster = new Cluster("c", List.of(), group.partitions(), Set.of(), Set.of());
        Map<String, Object> assigned;
        try {
            if (type("Subscription").getName().contains("ConsumerPartition")) {
                Object of = construct(type("GroupSubscription"), subscriptions);
                Object answer = call(leader, leader.getClass(), "assign", cluster, of);
                assigned = (Map<String, Object>) call(answer, answer.getClass(), "groupAssignment");
            } else {
                assigned = (Map<String, Object>) leader.getClass().getMethod("assign", Cluster.class, Map.class).invoke(leader, cluster, subscriptions);
            }
        } catch (InvocationTargetException failed) {
            return "{\"throws\":" + quote(failed.getCause().getClass().getSimpleName()) + "}";
        }
        Map<String, ByteBuffer> written = new HashMap<>();
        for (Map.Entry<String, Object> entry : assigned.entrySet()) written.put(entry.getKey(), Schemas.write("Assignment", entry.getValue()));
        List<String> shares = new ArrayList<>(), encoded = new ArrayList<>();
        for (String id : written.keySet()) {
            List<TopicPartition> share = (List<TopicPartition>) call(assigned.get(id), assigned.get(id).getClass(), "partitions");
            int place = IntStream.range(0, group.members().size()).filter(at -> group.members().get(at).id().equals(id)).findFirst().orElseThrow();
            shares.add(place + ":" + share.stream().map(TopicPartition::toString).collect(Collectors.joining(",")));
            encoded.add(quote(hex(written.get(id))));
        }
        String text = "{\"assigned\":" + quote(String.join(" ", shares));
        if (bytes) text += ",\"subscriptions\":[" + String.join(",", said) + "],\"assignments\":[" + String.join(",", encoded) + "]";
        return text + "}";
    }

    // Text.

    static String input(Group group) {
        Map<String, List<String>> topics = new TreeMap<>();
        for (PartitionInfo partition : group.partitions())
            topics.computeIfAbsent(partition.topic(), topic -> new ArrayList<>()).add(quote(Arrays.stream(partition.replicas())
                .map(Node::rack).filter(Objects::nonNull).collect(Collectors.joining(" "))));
        String all = topics.entrySet().stream().map(e -> quote(e.getKey()) + ":[" + String.join(",", e.getValue()) + "]").collect(Collectors.joining(","));
        String members = group.members().stream().map(m -> "{\"id\":" + quote(m.id())
            + (m.instance() == null ? "" : ",\"instance\":" + quote(m.instance()))
            + (m.rack() == null ? "" : ",\"rack\":" + quote(m.rack()))
            + ",\"topics\":" + quote(String.join(" ", m.topics()))
            + (m.had() == null ? "" : ",\"generation\":" + m.generation()
                + ",\"had\":" + quote(m.had().stream().map(TopicPartition::toString).collect(Collectors.joining(" "))))
            + "}").collect(Collectors.joining(","));
        return "\"again\":" + group.again() + ",\"topics\":{" + all + "},\"members\":[" + members + "]";
    }

    static String hex(ByteBuffer bytes) {
        StringBuilder text = new StringBuilder();
        for (ByteBuffer copy = bytes.duplicate(); copy.hasRemaining(); ) text.append(String.format("%02x", copy.get()));
        return text.toString();
    }

    static String quote(String text) {
        return '"' + text + '"';
    }
}
