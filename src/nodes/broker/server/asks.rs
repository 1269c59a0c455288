//! What the parts of a broker ask of one another, carried out.

use kafka_protocol::messages::ResponseKind;
use tracing::{debug, error};

use super::broker::Broker;
use super::controller_channel::CallEnd;
use super::current_leaders;
use super::metadata::Listener;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::{Ask, Context, OWN, Purpose, ReplyTo, TransactionCompleted};

impl Broker {
    /// Carries out what a part asked for.
    pub(super) fn carry_out(&mut self, cx: &mut Context<'_>, ask: Ask) {
        match ask {
            Ask::Reply { to, body } if to.conn == OWN => self.own_reply(cx, to, *body),
            Ask::Reply { to, mut body } => {
                if self.connections.listener(to.conn) == Listener::External {
                    let replicas = self.replicas.as_ref();
                    current_leaders::add(&self.metadata, replicas, to.version, &mut body);
                }
                self.reply(cx, to, &body);
            }
            Ask::NoReply(to) => {
                if self.connections.done(to.conn) {
                    self.serve(cx, to.conn);
                }
            }
            Ask::Close(conn) => self.close_client(cx, conn),
            Ask::ChangeIsr(change) => self.isr().change(cx, change),
            Ask::Own(conn, owner) => self.connections.own(conn, owner),
            Ask::Disown(conn) => {
                self.connections.remove(conn);
            }
            Ask::AppendOffsets { partition, batch, number } => {
                self.replicas_mut().append_offsets(cx, partition, batch, number);
            }
            Ask::OffsetsAppended { number, result } => self.groups.appended(cx, number, result),
            Ask::MarkerAppended(appended) => self.replicas_mut().marker_ended(cx, appended),
            Ask::TransactionCompleted(TransactionCompleted { producer_id, partitions, commit }) => {
                self.groups.transaction_completed(cx, producer_id, &partitions, commit);
            }
            Ask::OffsetsLeader { partition, leader_epoch: Some(epoch), leads: true } => {
                self.groups.elected(cx, partition, epoch);
            }
            Ask::OffsetsLeader { partition, leader_epoch, .. } => {
                self.groups.resigned(cx, partition, leader_epoch);
            }
            Ask::AppendTransactions { .. }
            | Ask::TransactionsAppended { .. }
            | Ask::TransactionsLeader { .. }
            | Ask::VerifyTransaction(_)
            | Ask::CommitVerified(..) => self.carry_out_for_transactions(cx, ask),
            Ask::RequestOfOwn { to, body } => self.handle(cx, to, None, *body),
            Ask::InitProducerId(to, request) => self.init_producer_id(cx, to, request),
            Ask::Halt(why) => {
                error!(broker = %self.config.id, why, "halts");
                let why = why.into();
                cx.effects.observe(Observation::Broker(BrokerObservation::Halted { why }));
                cx.effects.exit();
            }
        }
    }

    /// This broker answered a request of its own.
    fn own_reply(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: ResponseKind) {
        match &body {
            ResponseKind::WriteTxnMarkers(response) => {
                self.transactions.own_reply(cx, to, response);
            }
            ResponseKind::AddPartitionsToTxn(response) => {
                self.verifier().own_reply(cx, to, response);
            }
            _ => {
                if let Some((purpose, end)) = self.controller_channel.own_reply(cx, to, body) {
                    self.call_ended(cx, purpose, end);
                }
            }
        }
    }

    /// A request to the controller ended.
    pub(super) fn call_ended(&mut self, cx: &mut Context<'_>, purpose: Purpose, end: CallEnd) {
        match purpose {
            Purpose::AlterPartition => self.isr().partitions_altered(cx, end),
            // Clients ask Metadata again.
            Purpose::CreateTopics => {
                debug!(broker = %self.config.id, answer = ?end, "topics created on demand");
            }
            Purpose::ControlledShutdown => self.shutdown().answered(cx, end),
            Purpose::AllocateProducerIds => self.producer_ids().allocated(cx, end),
        }
    }

    /// Carries out what the transaction coordinator and the replicas ask of each other.
    fn carry_out_for_transactions(&mut self, cx: &mut Context<'_>, ask: Ask) {
        match ask {
            Ask::AppendTransactions { partition, batch, number, timeout } => {
                let replicas = self.replicas_mut();
                replicas.append_transactions(cx, partition, batch, (number, timeout));
            }
            Ask::TransactionsAppended { number, result } => {
                self.transactions.appended(cx, number, result);
            }
            Ask::TransactionsLeader { partition, leader_epoch: Some(epoch), leads: true } => {
                self.transactions.elected(cx, partition, epoch);
            }
            Ask::TransactionsLeader { partition, leader_epoch, .. } => {
                self.transactions.resigned(cx, partition, leader_epoch);
            }
            Ask::VerifyTransaction(asked) => self.verifier().ask(cx, asked),
            Ask::CommitVerified(to, request) => self.commit_in_transaction(cx, to, request),
            other => unreachable!("{other:?} is not about transactions"),
        }
    }
}
