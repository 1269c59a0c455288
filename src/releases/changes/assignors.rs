//! Rows about how the members of a group share partitions.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
    StaticMembersFirst: "static-members-first", since(2, 4, 0),
        "KAFKA-8355", Test("assignors_answer_as_the_java_client"),
        "Range and round-robin take static members first, by group.instance.id; before, all by \
         member id.";
    NewestTopicFirst: "newest-topic-first", since(2, 1, 0),
        "apache/kafka#5427", Test("assignors_answer_as_the_java_client"),
        "Where the hashes of topics fall together, assignors and the bytes of an assignment have \
         the topic that came last first; before, last.";
    RackAwareAssignors: "rack-aware-assignors", since(3, 5, 0),
        "KIP-881 (KAFKA-14451)", Test("assignors_answer_as_the_java_client"),
        "Members with client.rack get partitions that have a replica in their rack, where that \
         keeps the balance.";
    SortedSubscriptions: "sorted-subscriptions", since(2, 8, 1),
        "KAFKA-12898", Test("subscriptions_have_the_bytes_of_their_release"),
        "A member writes its topics and the partitions that it has in order; before, in the order \
         of a hash table.";
    AssignedTopicsInOrder: "assigned-topics-in-order", since(3, 0, 0),
        "apache/kafka#10082", Test("assignments_have_the_bytes_of_their_release"),
        "The leader of a group writes the topics of an assignment as its assignor ordered them; \
         before, in the order of a hash table.";
    NullUserData: "null-user-data", since(2, 4, 0),
        "KIP-429 (KAFKA-8179)", Test("subscriptions_have_the_bytes_of_their_release"),
        "The user data of an assignor that has none is null; before, empty.";
} } }
pub(super) use rows;
