//! Settings that brokers and all clients have alike: types, defaults and sentences.

use DefaultText::{Is, Null};
use Dynamic::Never;

use super::{ANY, DefaultText, Dynamic, Setting, settings};
use crate::releases::first::{V2_0, V2_4, V2_7, V2_8, V3_1, V3_4};

settings! {
    SHARED;
    "auto.include.jmx.reporter": Boolean, "", Never,
        &[(V3_4, Is("true"))], ANY,
        "Whether metrics are reported by JMX though metric.reporters does not name it.";
    "sasl.client.callback.handler.class": Class, "", Never,
        &[(V2_0, Null)], ANY,
        "Class of SASL's callbacks as a client.";
    "sasl.login.callback.handler.class": Class, "", Never,
        &[(V2_0, Null)], ANY,
        "Class of SASL's callbacks at login.";
    "sasl.login.class": Class, "", Never,
        &[(V2_0, Null)], ANY,
        "Class of SASL's login.";
    "sasl.login.connect.timeout.ms": Int, "", Never,
        &[(V3_1, Null)], ANY,
        "Longest wait for a connection to an OAuth provider.";
    "sasl.login.read.timeout.ms": Int, "", Never,
        &[(V3_1, Null)], ANY,
        "Longest wait for an answer of an OAuth provider.";
    "sasl.login.retry.backoff.max.ms": Long, "", Never,
        &[(V3_1, Is("10000"))], ANY,
        "Longest pause before a login is tried again.";
    "sasl.login.retry.backoff.ms": Long, "", Never,
        &[(V3_1, Is("100"))], ANY,
        "First pause before a login is tried again.";
    "sasl.oauthbearer.clock.skew.seconds": Int, "", Never,
        &[(V3_1, Is("30"))], ANY,
        "Difference of clocks that a token check allows.";
    "sasl.oauthbearer.expected.audience": List, "", Never,
        &[(V3_1, Null)], ANY,
        "Audience that a token has to name.";
    "sasl.oauthbearer.expected.issuer": String, "", Never,
        &[(V3_1, Null)], ANY,
        "Issuer that a token has to name.";
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": Long, "", Never,
        &[(V3_1, Is("3600000"))], ANY,
        "Time between reads of the keys that check tokens.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": Long, "", Never,
        &[(V3_1, Is("10000"))], ANY,
        "Longest pause before the keys are asked for again.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": Long, "", Never,
        &[(V3_1, Is("100"))], ANY,
        "First pause before the keys are asked for again.";
    "sasl.oauthbearer.jwks.endpoint.url": String, "", Never,
        &[(V3_1, Null)], ANY,
        "Where the keys that check tokens are.";
    "sasl.oauthbearer.scope.claim.name": String, "", Never,
        &[(V3_1, Is("scope"))], ANY,
        "Claim with the scope of a token.";
    "sasl.oauthbearer.sub.claim.name": String, "", Never,
        &[(V3_1, Is("sub"))], ANY,
        "Claim with the subject of a token.";
    "sasl.oauthbearer.token.endpoint.url": String, "", Never,
        &[(V3_1, Null)], ANY,
        "Where tokens are issued.";
    "security.providers": String, "", Never,
        &[(V2_4, Null)], ANY,
        "Classes that provide security algorithms.";
    "socket.connection.setup.timeout.max.ms": Long, "", Never,
        &[(V2_7, Is("127000")), (V2_8, Is("30000"))], ANY,
        "Longest wait until a connection is set up.";
    "socket.connection.setup.timeout.ms": Long, "", Never,
        &[(V2_7, Is("10000"))], ANY,
        "First wait until a connection is set up.";
}
