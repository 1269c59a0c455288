//! Settings of brokers: TLS, SASL, passwords and tokens.

use Allowed::{Any, AtLeast, OneOf};
use DefaultText::{Gone, Is, Null};
use Dynamic::{Never, Since};

use super::{ANY, AT_LEAST_1, Allowed, DefaultText, Dynamic, Setting, settings};
use crate::releases::first::{
    V0_10, V1_0, V1_1, V2_0, V2_2, V2_4, V2_5, V2_6, V2_7, V2_8, V3_0, V3_3, V3_7,
};

settings! {
    SECURITY;
    "authorizer.class.name": String, "", Never,
        &[(V0_10, Is(""))], ANY,
        "Class that decides who may do what.";
    "delegation.token.expiry.check.interval.ms": Long, "", Never,
        &[(V1_1, Is("3600000"))], AT_LEAST_1,
        "Time between searches for expired tokens.";
    "delegation.token.expiry.time.ms": Long, "", Never,
        &[(V1_1, Is("86400000"))], AT_LEAST_1,
        "Time after which a token has to be renewed.";
    "delegation.token.master.key": Password, "", Never,
        &[(V1_1, Null)], ANY,
        "Key that signs tokens; replaced by delegation.token.secret.key.";
    "delegation.token.max.lifetime.ms": Long, "", Never,
        &[(V1_1, Is("604800000"))], AT_LEAST_1,
        "Time after which a token cannot be renewed.";
    "delegation.token.secret.key": Password, "", Never,
        &[(V2_8, Null)], ANY,
        "Key that signs tokens, the same at all brokers.";
    "password.encoder.cipher.algorithm": String, "", Never,
        &[(V1_1, Is("AES/CBC/PKCS5Padding"))], ANY,
        "Cipher for passwords that are stored.";
    "password.encoder.iterations": Int, "", Never,
        &[(V1_1, Is("4096"))], &[(V0_10, AtLeast(1024))],
        "Rounds of the key derivation for stored passwords.";
    "password.encoder.key.length": Int, "", Never,
        &[(V1_1, Is("128"))], &[(V0_10, AtLeast(8))],
        "Length of the key for stored passwords.";
    "password.encoder.keyfactory.algorithm": String, "", Never,
        &[(V1_1, Null)], ANY,
        "Key derivation for stored passwords.";
    "password.encoder.old.secret": Password, "", Never,
        &[(V1_1, Null)], ANY,
        "Secret with which passwords were stored before.";
    "password.encoder.secret": Password, "", Never,
        &[(V1_1, Null)], ANY,
        "Secret with which passwords are stored.";
    "principal.builder.class": Class, "", Since(V1_1),
        &[(V0_10, Is("org.apache.kafka.common.security.auth.DefaultPrincipalBuilder")),
          (V1_0, Null),
          (V3_0, Is("org.apache.kafka.common.security.authenticator.\
         DefaultKafkaPrincipalBuilder"))],
        ANY,
        "Class that finds out who a client is.";
    "sasl.enabled.mechanisms": List, "", Since(V1_1),
        &[(V0_10, Is("GSSAPI"))], ANY,
        "SASL mechanisms that are offered.";
    "sasl.jaas.config": Password, "", Since(V1_1),
        &[(V1_1, Null)], ANY,
        "Login context of SASL, as in a JAAS file.";
    "sasl.kerberos.kinit.cmd": String, "", Since(V1_1),
        &[(V0_10, Is("/usr/bin/kinit"))], ANY,
        "Path of kinit.";
    "sasl.kerberos.min.time.before.relogin": Long, "", Since(V1_1),
        &[(V0_10, Is("60000"))], ANY,
        "Pause of the Kerberos login thread.";
    "sasl.kerberos.principal.to.local.rules": List, "", Since(V1_1),
        &[(V0_10, Is("DEFAULT"))], ANY,
        "Rules that turn Kerberos principals into short names.";
    "sasl.kerberos.service.name": String, "", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Kerberos name of the brokers.";
    "sasl.kerberos.ticket.renew.jitter": Double, "", Since(V1_1),
        &[(V0_10, Is("0.05"))], ANY,
        "Random part of the time until a ticket is renewed.";
    "sasl.kerberos.ticket.renew.window.factor": Double, "", Since(V1_1),
        &[(V0_10, Is("0.8"))], ANY,
        "Share of a ticket's life after which it is renewed.";
    "sasl.login.refresh.buffer.seconds": Short, "", Since(V2_0),
        &[(V2_0, Is("300"))], ANY,
        "Time that is kept free before a credential ends.";
    "sasl.login.refresh.min.period.seconds": Short, "", Since(V2_0),
        &[(V2_0, Is("60"))], ANY,
        "Shortest time between two refreshes of a credential.";
    "sasl.login.refresh.window.factor": Double, "", Since(V2_0),
        &[(V2_0, Is("0.8"))], ANY,
        "Share of a credential's life after which it is refreshed.";
    "sasl.login.refresh.window.jitter": Double, "", Since(V2_0),
        &[(V2_0, Is("0.05"))], ANY,
        "Random part of the time until a credential is refreshed.";
    "sasl.mechanism.controller.protocol": String, "", Never,
        &[(V3_0, Is("GSSAPI"))], ANY,
        "SASL mechanism to the controllers, with KRaft.";
    "sasl.mechanism.inter.broker.protocol": String, "", Since(V1_1),
        &[(V0_10, Is("GSSAPI"))], ANY,
        "SASL mechanism between brokers.";
    "sasl.server.callback.handler.class": Class, "", Never,
        &[(V2_0, Null)], ANY,
        "Class of SASL's callbacks as a server.";
    "sasl.server.max.receive.size": Int, "", Never,
        &[(V2_8, Is("524288"))], ANY,
        "Most bytes of a SASL message before authentication.";
    "security.inter.broker.protocol": String, "", Never,
        &[(V0_10, Is("PLAINTEXT"))],
        &[(V0_10, Any), (V3_3, OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]))],
        "Security protocol between brokers.";
    "ssl.allow.dn.changes": Boolean, "", Never,
        &[(V3_7, Is("false"))], ANY,
        "Whether a new keystore may have another distinguished name.";
    "ssl.allow.san.changes": Boolean, "", Never,
        &[(V3_7, Is("false"))], ANY,
        "Whether a new keystore may have other alternative names.";
    "ssl.cipher.suites": List, "", Since(V1_1),
        &[(V0_10, Null), (V1_1, Is(""))], ANY,
        "TLS cipher suites.";
    "ssl.client.auth": String, "", Since(V1_1),
        &[(V0_10, Is("none"))], &[(V0_10, OneOf(&["required", "requested", "none"]))],
        "Whether clients need a certificate.";
    "ssl.enabled.protocols": List, "", Since(V1_1),
        &[(V0_10, Is("TLSv1.2,TLSv1.1,TLSv1")), (V2_5, Is("TLSv1.2")),
          (V2_6, Is("TLSv1.2,TLSv1.3"))],
        ANY,
        "TLS versions that are offered.";
    "ssl.endpoint.identification.algorithm": String, "", Since(V1_1),
        &[(V0_10, Null), (V2_0, Is("https"))], ANY,
        "How the name of a server is checked.";
    "ssl.engine.factory.class": Class, "", Since(V2_6),
        &[(V2_6, Null)], ANY,
        "Class that makes TLS engines.";
    "ssl.key.password": Password, "", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Password of the private key.";
    "ssl.keymanager.algorithm": String, "", Since(V1_1),
        &[(V0_10, Is("SunX509"))], ANY,
        "Algorithm of the key manager.";
    "ssl.keystore.certificate.chain": Password, "", Since(V2_7),
        &[(V2_7, Null)], ANY,
        "Certificate chain, as text.";
    "ssl.keystore.key": Password, "", Since(V2_7),
        &[(V2_7, Null)], ANY,
        "Private key, as text.";
    "ssl.keystore.location": String, "", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "File of the keystore.";
    "ssl.keystore.password": Password, "", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Password of the keystore.";
    "ssl.keystore.type": String, "", Since(V1_1),
        &[(V0_10, Is("JKS"))], ANY,
        "Format of the keystore.";
    "ssl.principal.mapping.rules": List, "", Never,
        &[(V2_2, Is("DEFAULT")), (V2_4, Gone)], ANY,
        "Rules that turn distinguished names into short names.";
    "ssl.principal.mapping.rules": String, "", Never,
        &[(V2_4, Is("DEFAULT"))], ANY,
        "Rules that turn distinguished names into short names.";
    "ssl.protocol": String, "", Since(V1_1),
        &[(V0_10, Is("TLS")), (V2_5, Is("TLSv1.2")), (V2_6, Is("TLSv1.3"))], ANY,
        "TLS version for the context.";
    "ssl.provider": String, "", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Security provider of TLS.";
    "ssl.secure.random.implementation": String, "", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Random numbers of TLS.";
    "ssl.trustmanager.algorithm": String, "", Since(V1_1),
        &[(V0_10, Is("PKIX"))], ANY,
        "Algorithm of the trust manager.";
    "ssl.truststore.certificates": Password, "", Since(V2_7),
        &[(V2_7, Null)], ANY,
        "Trusted certificates, as text.";
    "ssl.truststore.location": String, "", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "File of the truststore.";
    "ssl.truststore.password": Password, "", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Password of the truststore.";
    "ssl.truststore.type": String, "", Since(V1_1),
        &[(V0_10, Is("JKS"))], ANY,
        "Format of the truststore.";
    "zookeeper.ssl.cipher.suites": List, "", Never,
        &[(V2_5, Null)], ANY,
        "TLS cipher suites to ZooKeeper.";
    "zookeeper.ssl.client.enable": Boolean, "", Never,
        &[(V2_5, Is("false"))], ANY,
        "Whether TLS is used to ZooKeeper.";
    "zookeeper.ssl.crl.enable": Boolean, "", Never,
        &[(V2_5, Is("false"))], ANY,
        "Whether revocation lists are read for ZooKeeper's certificates.";
    "zookeeper.ssl.enabled.protocols": List, "", Never,
        &[(V2_5, Null)], ANY,
        "TLS versions to ZooKeeper.";
    "zookeeper.ssl.endpoint.identification.algorithm": String, "", Never,
        &[(V2_5, Is("HTTPS"))], ANY,
        "How the name of a ZooKeeper server is checked.";
    "zookeeper.ssl.keystore.location": String, "", Never,
        &[(V2_5, Null)], ANY,
        "File of the keystore for ZooKeeper.";
    "zookeeper.ssl.keystore.password": Password, "", Never,
        &[(V2_5, Null)], ANY,
        "Password of the keystore for ZooKeeper.";
    "zookeeper.ssl.keystore.type": String, "", Never,
        &[(V2_5, Null)], ANY,
        "Format of the keystore for ZooKeeper.";
    "zookeeper.ssl.ocsp.enable": Boolean, "", Never,
        &[(V2_5, Is("false"))], ANY,
        "Whether OCSP is asked about ZooKeeper's certificates.";
    "zookeeper.ssl.protocol": String, "", Never,
        &[(V2_5, Is("TLSv1.2"))], ANY,
        "TLS version for the context to ZooKeeper.";
    "zookeeper.ssl.truststore.location": String, "", Never,
        &[(V2_5, Null)], ANY,
        "File of the truststore for ZooKeeper.";
    "zookeeper.ssl.truststore.password": Password, "", Never,
        &[(V2_5, Null)], ANY,
        "Password of the truststore for ZooKeeper.";
    "zookeeper.ssl.truststore.type": String, "", Never,
        &[(V2_5, Null)], ANY,
        "Format of the truststore for ZooKeeper.";
}
