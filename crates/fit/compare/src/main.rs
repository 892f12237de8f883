//! What `fit` gives beside other crates for the same, in one run: the time of a fit, and
//! the mean log loss of 2,000 rows that were held out.
//!
//! `cd crates/fit/compare && cargo run --release`

mod data;

use std::time::{Duration, Instant};

use data::{CLASSES, Set};
use fit::trees::{Rounds, Targets, fit as fit_trees};
use fit::{Hyperparameters, Linear, softmax};
use forust_ml::{GradientBooster, Matrix};
use linfa::prelude::Fit;
use linfa::{DatasetBase, ParamGuard};
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array1, Array2};

/// How often each is fitted; the fastest counts.
const ROUNDS: usize = 5;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    println!("{:<34}{:>10}{:>12}", "", "fit", "log loss");
    let linear = Set::linear(1);
    report("linear: fit (argmin)", || ours(&linear.halves()))?;
    report("linear: linfa-logistic", || {
        linfa_logistic(&linear.halves())
    })?;
    let rings = Set::rings(2);
    report("trees: fit", || our_trees(&rings.halves()))?;
    report("trees: forust-ml, rate 0.3", || {
        forust(&rings.halves(), 0.3)
    })?;
    report("trees: forust-ml, rate 0.1", || {
        forust(&rings.halves(), 0.1)
    })?;
    Ok(())
}

fn report(name: &str, fit: impl Fn() -> Outcome<(Duration, f64)>) -> Outcome<()> {
    let mut fastest = fit()?;
    for _ in 1..ROUNDS {
        let next = fit()?;
        fastest = if next.0 < fastest.0 { next } else { fastest };
    }
    let (time, loss) = fastest;
    println!("{name:<34}{:>7.1} ms{loss:>12.4}", time.as_secs_f64() * 1e3);
    Ok(())
}

/// Mean log loss of the probabilities of the classes that rows have.
fn log_loss(own: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = own.fold((0.0, 0.0), |(sum, count), p| {
        (sum - p.max(1e-15).ln(), count + 1.0)
    });
    sum / count
}

fn ours([seen, unseen]: &[Set; 2]) -> Outcome<(Duration, f64)> {
    let begin = Instant::now();
    let settings = Hyperparameters::default();
    let (model, _) = softmax::fit(&seen.features, &seen.codes, CLASSES, &settings, None)?;
    let time = begin.elapsed();
    Ok((time, log_loss(probabilities(&model, unseen))))
}

fn probabilities(model: &Linear, unseen: &Set) -> impl Iterator<Item = f64> {
    let mut scores = model.scores(&unseen.features);
    fit::to_probabilities(&mut scores);
    let own = unseen.codes.clone().into_iter().enumerate();
    own.map(move |(row, code)| scores[[row, code]])
}

fn linfa_logistic([seen, unseen]: &[Set; 2]) -> Outcome<(Duration, f64)> {
    let array = |set: &Set| {
        let values = set.features.iter().copied().collect();
        Array2::from_shape_vec(set.features.dim(), values)
    };
    let dataset = DatasetBase::new(array(seen)?, Array1::from(seen.codes.clone()));
    let begin = Instant::now();
    let parameters = MultiLogisticRegression::default()
        .alpha(1.0)
        .max_iterations(1000);
    let model = parameters.check()?.fit(&dataset)?;
    let time = begin.elapsed();
    let found = model.predict_probabilities(&array(unseen)?);
    let own = unseen.codes.iter().enumerate();
    Ok((time, log_loss(own.map(|(row, code)| found[[row, *code]]))))
}

fn our_trees([seen, unseen]: &[Set; 2]) -> Outcome<(Duration, f64)> {
    let single = |set: &Set| set.features.mapv(|value| value as f32);
    let targets = |set: &Set| {
        let ones = Array1::ones(set.codes.len());
        Targets::Classes(set.codes.clone(), ones, 2)
    };
    // A fifth tells how many trees there are to be, as train does with five of them.
    let begin = Instant::now();
    let [most, fifth] = seen.split(5);
    let rows = single(&fifth);
    let of_fifth = targets(&fifth);
    let until = Rounds::Until(500, &rows, &of_fifth);
    let (_, curve) = fit_trees(&single(&most), &targets(&most), &until, 0, &|| {});
    let best = (0..curve.len()).min_by(|a, b| curve[*a].total_cmp(&curve[*b]));
    let exactly = Rounds::Exactly(best.unwrap_or_default());
    let (trees, _) = fit_trees(&single(seen), &targets(seen), &exactly, 0, &|| {});
    let time = begin.elapsed();
    let mut scores: Array2<f64> = trees.scores(&single(unseen));
    fit::to_probabilities(&mut scores);
    let own = unseen.codes.iter().enumerate();
    Ok((time, log_loss(own.map(|(row, code)| scores[[row, *code]]))))
}

/// As many trees as are best for a fifth of the rows, at most 500.
fn forust([seen, unseen]: &[Set; 2], rate: f32) -> Outcome<(Duration, f64)> {
    // Column by column.
    let columns = |set: &Set| set.features.t().iter().copied().collect::<Vec<f64>>();
    let labels = |set: &Set| {
        set.codes
            .iter()
            .map(|code| *code as f64)
            .collect::<Vec<f64>>()
    };
    let width = seen.features.ncols();
    let begin = Instant::now();
    let [most, fifth] = seen.split(5);
    let (values, wanted) = (columns(&most), labels(&most));
    let (other_values, others) = (columns(&fifth), labels(&fifth));
    let ones = vec![1.0; others.len()];
    let evaluation = (
        Matrix::new(&other_values, others.len(), width),
        &others[..],
        &ones[..],
    );
    let mut model = GradientBooster::default()
        .set_learning_rate(rate)
        .set_iterations(500)
        .set_early_stopping_rounds(Some(30));
    let matrix = Matrix::new(&values, wanted.len(), width);
    model.fit_unweighted(&matrix, &wanted, Some(vec![evaluation]))?;
    let time = begin.elapsed();
    let values = columns(unseen);
    let scores = model.predict(&Matrix::new(&values, unseen.codes.len(), width), true);
    let own = scores.iter().zip(&unseen.codes).map(|(score, code)| {
        let p = 1.0 / (1.0 + (-score).exp());
        if *code == 1 { p } else { 1.0 - p }
    });
    Ok((time, log_loss(own)))
}
