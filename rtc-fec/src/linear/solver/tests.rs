use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Unknowns of the trials: few, so that equations meet.
const COLUMNS: usize = 8;

/// What an unknown is: a symbol of its own length.
fn symbol(column: usize) -> Vec<u8> {
    (0..30 + 7 * column).map(|at| (at * 31 + column * 57 + 1).to_le_bytes()[0]).collect()
}

fn length(column: usize, factor: u8) -> [u8; LENGTH_LEN] {
    [1, symbol(column).len().to_le_bytes()[0]].map(|byte| mul(byte, factor))
}

/// The sum over all columns that an equation is of.
fn equation(coefficients: &[u8; COLUMNS]) -> ([u8; LENGTH_LEN], Vec<u8>) {
    let (mut sum, mut bytes) = ([0; LENGTH_LEN], vec![0; symbol(COLUMNS - 1).len()]);
    for (column, factor) in coefficients.iter().enumerate() {
        sum.iter_mut().zip(length(column, *factor)).for_each(|(sum, byte)| *sum ^= byte);
        bytes.iter_mut().zip(symbol(column)).for_each(|(sum, byte)| *sum ^= mul(*factor, byte));
    }
    (sum, bytes)
}

/// The equations as they come, solved anew each time.
#[derive(Default)]
struct Naive(Vec<[u8; COLUMNS]>);

impl Naive {
    /// Gauss-Jordan elimination, column by column.
    fn reduced(&self) -> Vec<[u8; COLUMNS]> {
        let (mut rows, mut done) = (self.0.clone(), 0);
        for column in 0..COLUMNS {
            let Some(at) = (done..rows.len()).find(|row| rows[*row][column] != 0) else { continue };
            rows.swap(done, at);
            let scale = inverse(rows[done][column]);
            let pivot = rows[done].map(|coefficient| mul(coefficient, scale));
            rows[done] = pivot;
            for (at, row) in rows.iter_mut().enumerate() {
                let factor = if at == done { 0 } else { row[column] };
                row.iter_mut().zip(pivot).for_each(|(sum, coefficient)| *sum ^= mul(factor, coefficient));
            }
            done += 1;
        }
        rows.truncate(done);
        rows
    }

    fn know(&mut self, column: usize) {
        self.0.iter_mut().for_each(|row| row[column] = 0);
    }

    /// What the equations determine.
    fn solved(&self) -> Vec<usize> {
        let one = |row: &[u8; COLUMNS]| row.iter().filter(|coefficient| **coefficient != 0).count() == 1;
        let rows = self.reduced().into_iter().filter(one);
        rows.filter_map(|row| row.iter().position(|coefficient| *coefficient != 0)).collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Equation([u8; COLUMNS]),
    Known(usize),
    Forget(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let coefficient = || prop_oneof![3 => Just(0), 1 => Just(1), 2 => any::<u8>()];
    let equation = vec(coefficient(), COLUMNS).prop_map(|row| Step::Equation(row.try_into().unwrap()));
    prop_oneof![
        5 => equation,
        1 => (0..COLUMNS).prop_map(Step::Known),
        1 => (0..COLUMNS).prop_map(Step::Forget),
    ]
}

proptest! {
    /// What is solved, when, and what it is, as by solving all equations anew each time; rows as many as the rank.
    #[test]
    fn solves_what_the_equations_determine(steps in vec(step(), 1..40)) {
        let (mut solver, mut naive, mut known) = (Solver::new(COLUMNS), Naive::default(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Equation(mut row) => {
                    let ((length_sum, sum), mut terms) = (equation(&row), Vec::new());
                    let mut length_sum = length_sum;
                    for (column, symbol) in &known {
                        let column: usize = *column;
                        let factor = core::mem::take(&mut row[column]);
                        length_sum.iter_mut().zip(length(column, factor)).for_each(|(sum, byte)| *sum ^= byte);
                        let symbol: &Vec<u8> = symbol;
                        terms.push((factor, &symbol[..]));
                    }
                    let rank = naive.reduced().len();
                    naive.0.push(row);
                    let unknown: Vec<_> = row.iter().copied().enumerate().filter(|(_, factor)| *factor != 0).collect();
                    let new = solver.begin(unknown.iter().copied());
                    prop_assert_eq!(new, naive.reduced().len() > rank, "new if it adds to the rank");
                    if new {
                        solver.finish(length_sum, &sum, terms.iter().copied());
                    }
                }
                Step::Known(column) if known.contains_key(&column) => (),
                Step::Known(column) => {
                    known.insert(column, symbol(column));
                    naive.know(column);
                    solver.substitute(column, &symbol(column), |factor| length(column, factor));
                }
                Step::Forget(column) => {
                    let had = naive.0.iter().any(|row| row[column] != 0);
                    prop_assert_eq!(solver.forget(column), had && !known.contains_key(&column));
                    // Eliminated with one equation, which is lost.
                    let at = naive.0.iter().position(|row| row[column] != 0);
                    if let Some(pivot) = at.map(|at| naive.0.swap_remove(at)) {
                        let scale = inverse(pivot[column]);
                        for row in &mut naive.0 {
                            let factor = mul(row[column], scale);
                            row.iter_mut().zip(pivot).for_each(|(sum, coefficient)| *sum ^= mul(factor, coefficient));
                        }
                    }
                }
            }
            let expected = naive.solved();
            let mut solved = Vec::new();
            while let Some(Solved { row, column, length: found, symbol: bytes }) = solver.solved() {
                let whole = symbol(column);
                prop_assert_eq!(found, length(column, 1));
                prop_assert_eq!(&bytes[..whole.len()], &whole);
                prop_assert!(bytes[whole.len()..].iter().all(|byte| *byte == 0));
                solved.push(column);
                solver.drop_row(row);
            }
            solved.sort_unstable();
            prop_assert_eq!(&solved, &expected);
            for column in solved {
                known.insert(column, symbol(column));
                naive.know(column);
            }
            prop_assert_eq!(solver.len(), naive.reduced().len());
            let has = (0..COLUMNS).filter(|column| solver.has(*column));
            let expected = (0..COLUMNS).filter(|column| naive.reduced().iter().any(|row| row[*column] != 0));
            prop_assert!(has.eq(expected));
        }
    }
}

/// Rows hold longer symbols once there are any.
#[test]
fn symbols_longer_than_common_packets() {
    let mut solver = Solver::new(4);
    let [short, long] = [vec![7; 100], (0..40_000_u32).map(|at| at.to_le_bytes()[0]).collect::<Vec<_>>()];
    let mut both = long.clone();
    both.iter_mut().zip(&short).for_each(|(sum, byte)| *sum ^= byte);
    assert!(solver.begin([(3, 2), (100, 3)].into_iter()));
    let twice = short.iter().map(|byte| mul(*byte, 2) ^ mul(*byte, 3)).collect::<Vec<_>>();
    solver.finish([0, 1], &twice, [].into_iter());
    assert!(solver.begin([(3, 1), (5, 1)].into_iter()));
    solver.finish([3, 4], &both, [].into_iter());
    solver.substitute(5, &long, |_| [1, 1]);
    let both = [solver.solved().unwrap().row, 0].map(|row| {
        let Solved { column, length, symbol, .. } = solver.solved().unwrap();
        let solved = (column, length, symbol[..100].to_vec());
        solver.drop_row(row);
        solved
    });
    assert_eq!(both[1], (3, [2, 5], short.clone()));
    assert_eq!((both[0].0, &both[0].2), (100, &short));
}
