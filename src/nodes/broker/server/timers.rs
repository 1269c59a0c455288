//! What the server's timers are for.

use crate::nodes::broker::context::Purpose;
use crate::vocab::BrokerId;

/// What a timer of the server is for; as a number it is the timer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerFor {
    /// Try again to register.
    Registration,
    /// See whether the controller has to be notified of ISR changes.
    IsrNotification,
    /// Ask the controller again for ISR changes.
    AlterPartition,
    /// Ask again for a controlled shutdown.
    ShutdownRetry,
    /// The pause before the next step of a shutdown is over.
    ShutdownStep,
    /// The timeout of a DeleteTopics with this number.
    Deletion(u64),
    /// The timeout of a CreatePartitions with this number.
    Growth(u64),
    /// A question to this transaction coordinator is without an answer for `request.timeout.ms`.
    Verification(BrokerId),
    /// The processors of a start have started.
    Serving,
    /// A request to the controller is without an answer for `controller.socket.timeout.ms`.
    Call(Purpose),
}

impl TimerFor {
    const CALLS: u64 = 16;
    /// Above the numbers of all calls.
    const DELETIONS: u64 = 1 << 16;
    /// Above the numbers of all deletions.
    const GROWTHS: u64 = 1 << 40;
    /// Above the numbers of all growths.
    const VERIFICATIONS: u64 = 1 << 50;

    /// The number that a timer is set with.
    pub fn number(self) -> u64 {
        match self {
            Self::Registration => 1,
            Self::IsrNotification => 2,
            Self::AlterPartition => 3,
            Self::ShutdownRetry => 4,
            Self::ShutdownStep => 5,
            Self::Deletion(number) => Self::DELETIONS + number,
            Self::Growth(number) => Self::GROWTHS + number,
            Self::Verification(broker) => {
                Self::VERIFICATIONS + u64::try_from(broker.0).expect("ids are positive")
            }
            Self::Serving => 6,
            Self::Call(purpose) => Self::CALLS + purpose as u64,
        }
    }

    /// What the timer with this number is for.
    ///
    /// # Panics
    /// When the server sets no timer with this number.
    pub fn of(number: u64) -> Self {
        match number {
            1 => Self::Registration,
            2 => Self::IsrNotification,
            3 => Self::AlterPartition,
            4 => Self::ShutdownRetry,
            5 => Self::ShutdownStep,
            Self::VERIFICATIONS.. => {
                let id = number - Self::VERIFICATIONS;
                Self::Verification(BrokerId(i32::try_from(id).expect("it is an id")))
            }
            Self::GROWTHS.. => Self::Growth(number - Self::GROWTHS),
            Self::DELETIONS.. => Self::Deletion(number - Self::DELETIONS),
            6 => Self::Serving,
            number => {
                let mut purposes = Purpose::ALL.into_iter();
                let purpose = purposes.find(|one| Self::CALLS + *one as u64 == number);
                Self::Call(purpose.expect("the server sets no other timers"))
            }
        }
    }
}
