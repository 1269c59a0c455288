//! Settings that producers, consumers and admin clients have alike.

use Allowed::{Any, AtLeast, Between, OneOf, Within};
use DefaultText::{Is, Null};
use Dynamic::Never;

use super::super::{ANY, AT_LEAST_0, AT_LEAST_1, Allowed, DefaultText, Dynamic, Setting, settings};
use crate::releases::first::{
    V0_10, V0_11, V2_0, V2_1, V2_5, V2_6, V2_7, V3_0, V3_3, V3_5, V3_7, V3_8, V3_9,
};

settings! {
    COMMON;
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
    "sasl.mechanism": String, "", Never,
        &[(V0_10, Is("GSSAPI"))], ANY,
        "SASL mechanism that is used.";
    "sasl.oauthbearer.header.urlencode": Boolean, "", Never,
        &[(V3_9, Is("false"))], ANY,
        "Whether an OAuth client encodes its name and secret as in URLs.";
    "security.protocol": String, "", Never,
        &[(V0_10, Is("PLAINTEXT"))],
        &[
            (V0_10, Any),
            (V3_3, OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])),
            (V3_5, OneOf(&["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"])),
        ],
        "Protocol to brokers: plain or TLS, with SASL or without.";
    "send.buffer.bytes": Int, "", Never,
        &[(V0_10, Is("131072"))], &[(V0_10, AtLeast(-1))],
        "Send buffer of a connection; -1 takes the system's.";
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
