//! Settings that producers, consumers and admin clients have alike.

use Allowed::{Any, AtLeast, Between, OneOf, Within};
use DefaultText::{Is, Null};
use Dynamic::Never;

use super::super::{ANY, AT_LEAST_0, AT_LEAST_1, Allowed, DefaultText, Dynamic, Setting, settings};
use crate::releases::first::{
    V0_10, V0_11, V2_0, V2_1, V2_4, V2_5, V2_6, V2_7, V2_8, V3_0, V3_1, V3_3, V3_4, V3_5, V3_7,
    V3_8, V3_9,
};

settings! {
    COMMON;
    "auto.include.jmx.reporter": Boolean, "", Never,
        &[(V3_4, Is("true"))], ANY,
        "Whether metrics are reported by JMX though metric.reporters does not name it.";
    "client.dns.lookup": String, "", Never,
        &[(V2_1, Is("default")), (V2_6, Is("use_all_dns_ips"))],
        &[
            (V2_1, OneOf(&[
                "default",
                "use_all_dns_ips",
                "resolve_canonical_bootstrap_servers_only",
            ])),
            (V3_0, OneOf(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])),
        ],
        "How the addresses of a host name are tried.";
    "client.id": String, "", Never,
        &[(V0_10, Is(""))], ANY,
        "Name of the client in requests, quotas and logs.";
    "enable.metrics.push": Boolean, "", Never,
        &[(V3_7, Is("true"))], ANY,
        "Whether metrics are pushed to brokers that subscribe to them.";
    "metadata.max.age.ms": Long, "", Never,
        &[(V0_10, Is("300000"))], AT_LEAST_0,
        "Age after which metadata is asked for again.";
    "metadata.recovery.strategy": String, "", Never,
        &[(V3_8, Is("none"))], &[(V3_8, OneOf(&["NONE", "REBOOTSTRAP"]))],
        "What a client does when it can reach no broker that it knows.";
    "metric.reporters": List, "", Never,
        &[(V0_10, Is(""))], ANY,
        "Classes that report metrics.";
    "metrics.num.samples": Int, "", Never,
        &[(V0_10, Is("2"))], AT_LEAST_1,
        "Samples of a metric.";
    "metrics.sample.window.ms": Long, "", Never,
        &[(V0_10, Is("30000"))], AT_LEAST_0,
        "Time of a sample of a metric.";
    "reconnect.backoff.max.ms": Long, "", Never,
        &[(V0_11, Is("1000"))], AT_LEAST_0,
        "Longest pause before a broker is connected to again.";
    "reconnect.backoff.ms": Long, "", Never,
        &[(V0_10, Is("50"))], AT_LEAST_0,
        "First pause before a broker is connected to again.";
    "retry.backoff.max.ms": Long, "", Never,
        &[(V3_7, Is("1000"))], AT_LEAST_0,
        "Longest pause before a request is sent again.";
    "retry.backoff.ms": Long, "", Never,
        &[(V0_10, Is("100"))], AT_LEAST_0,
        "First pause before a request is sent again.";
    "sasl.client.callback.handler.class": Class, "", Never,
        &[(V2_0, Null)], ANY,
        "Class of SASL's callbacks as a client.";
    "sasl.jaas.config": Password, "", Never,
        &[(V0_10, Null)], ANY,
        "Login context of SASL, as in a JAAS file.";
    "sasl.kerberos.kinit.cmd": String, "", Never,
        &[(V0_10, Is("/usr/bin/kinit"))], ANY,
        "Path of kinit.";
    "sasl.kerberos.min.time.before.relogin": Long, "", Never,
        &[(V0_10, Is("60000"))], ANY,
        "Pause of the Kerberos login thread.";
    "sasl.kerberos.service.name": String, "", Never,
        &[(V0_10, Null)], ANY,
        "Kerberos name of the brokers.";
    "sasl.kerberos.ticket.renew.jitter": Double, "", Never,
        &[(V0_10, Is("0.05"))], ANY,
        "Random part of the time until a ticket is renewed.";
    "sasl.kerberos.ticket.renew.window.factor": Double, "", Never,
        &[(V0_10, Is("0.8"))], ANY,
        "Share of a ticket's life after which it is renewed.";
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
    "sasl.login.refresh.buffer.seconds": Short, "", Never,
        &[(V2_0, Is("300"))], &[(V2_0, Between(0, 3_600))],
        "Time that is kept free before a credential ends.";
    "sasl.login.refresh.min.period.seconds": Short, "", Never,
        &[(V2_0, Is("60"))], &[(V2_0, Between(0, 900))],
        "Shortest time between two refreshes of a credential.";
    "sasl.login.refresh.window.factor": Double, "", Never,
        &[(V2_0, Is("0.8"))], &[(V2_0, Within("0.5", "1.0"))],
        "Share of a credential's life after which it is refreshed.";
    "sasl.login.refresh.window.jitter": Double, "", Never,
        &[(V2_0, Is("0.05"))], &[(V2_0, Within("0.0", "0.25"))],
        "Random part of the time until a credential is refreshed.";
    "sasl.login.retry.backoff.max.ms": Long, "", Never,
        &[(V3_1, Is("10000"))], ANY,
        "Longest pause before a login is tried again.";
    "sasl.login.retry.backoff.ms": Long, "", Never,
        &[(V3_1, Is("100"))], ANY,
        "First pause before a login is tried again.";
    "sasl.mechanism": String, "", Never,
        &[(V0_10, Is("GSSAPI"))], ANY,
        "SASL mechanism that is used.";
    "sasl.oauthbearer.clock.skew.seconds": Int, "", Never,
        &[(V3_1, Is("30"))], ANY,
        "Difference of clocks that a token check allows.";
    "sasl.oauthbearer.expected.audience": List, "", Never,
        &[(V3_1, Null)], ANY,
        "Audience that a token has to name.";
    "sasl.oauthbearer.expected.issuer": String, "", Never,
        &[(V3_1, Null)], ANY,
        "Issuer that a token has to name.";
    "sasl.oauthbearer.header.urlencode": Boolean, "", Never,
        &[(V3_9, Is("false"))], ANY,
        "Whether an OAuth client encodes its name and secret as in URLs.";
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
    "security.protocol": String, "", Never,
        &[(V0_10, Is("PLAINTEXT"))],
        &[
            (V0_10, Any),
            (V3_3, OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])),
            (V3_5, OneOf(&["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"])),
        ],
        "Protocol to brokers: plain or TLS, with SASL or without.";
    "security.providers": String, "", Never,
        &[(V2_4, Null)], ANY,
        "Classes that provide security algorithms.";
    "send.buffer.bytes": Int, "", Never,
        &[(V0_10, Is("131072"))], &[(V0_10, AtLeast(-1))],
        "Send buffer of a connection; -1 takes the system's.";
    "socket.connection.setup.timeout.max.ms": Long, "", Never,
        &[(V2_7, Is("127000")), (V2_8, Is("30000"))], ANY,
        "Longest wait until a connection is set up.";
    "socket.connection.setup.timeout.ms": Long, "", Never,
        &[(V2_7, Is("10000"))], ANY,
        "First wait until a connection is set up.";
    "ssl.cipher.suites": List, "", Never,
        &[(V0_10, Null)], ANY,
        "TLS cipher suites.";
    "ssl.enabled.protocols": List, "", Never,
        &[
            (V0_10, Is("TLSv1.2,TLSv1.1,TLSv1")),
            (V2_5, Is("TLSv1.2")),
            (V2_6, Is("TLSv1.2,TLSv1.3")),
        ],
        ANY,
        "TLS versions that are offered.";
    "ssl.endpoint.identification.algorithm": String, "", Never,
        &[(V0_10, Null), (V2_0, Is("https"))], ANY,
        "How the name of a server is checked.";
    "ssl.engine.factory.class": Class, "", Never,
        &[(V2_6, Null)], ANY,
        "Class that makes TLS engines.";
    "ssl.key.password": Password, "", Never,
        &[(V0_10, Null)], ANY,
        "Password of the private key.";
    "ssl.keymanager.algorithm": String, "", Never,
        &[(V0_10, Is("SunX509"))], ANY,
        "Algorithm of the key manager.";
    "ssl.keystore.certificate.chain": Password, "", Never,
        &[(V2_7, Null)], ANY,
        "Certificate chain, as text.";
    "ssl.keystore.key": Password, "", Never,
        &[(V2_7, Null)], ANY,
        "Private key, as text.";
    "ssl.keystore.location": String, "", Never,
        &[(V0_10, Null)], ANY,
        "File of the keystore.";
    "ssl.keystore.password": Password, "", Never,
        &[(V0_10, Null)], ANY,
        "Password of the keystore.";
    "ssl.keystore.type": String, "", Never,
        &[(V0_10, Is("JKS"))], ANY,
        "Format of the keystore.";
    "ssl.protocol": String, "", Never,
        &[(V0_10, Is("TLS")), (V2_5, Is("TLSv1.2")), (V2_6, Is("TLSv1.3"))], ANY,
        "TLS version for the context.";
    "ssl.provider": String, "", Never,
        &[(V0_10, Null)], ANY,
        "Security provider of TLS.";
    "ssl.secure.random.implementation": String, "", Never,
        &[(V0_10, Null)], ANY,
        "Random numbers of TLS.";
    "ssl.trustmanager.algorithm": String, "", Never,
        &[(V0_10, Is("PKIX"))], ANY,
        "Algorithm of the trust manager.";
    "ssl.truststore.certificates": Password, "", Never,
        &[(V2_7, Null)], ANY,
        "Trusted certificates, as text.";
    "ssl.truststore.location": String, "", Never,
        &[(V0_10, Null)], ANY,
        "File of the truststore.";
    "ssl.truststore.password": Password, "", Never,
        &[(V0_10, Null)], ANY,
        "Password of the truststore.";
    "ssl.truststore.type": String, "", Never,
        &[(V0_10, Is("JKS"))], ANY,
        "Format of the truststore.";
}
