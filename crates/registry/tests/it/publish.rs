//! What is published is found again, whole, in every kind of store.

use registry::{Asked, Error};

use crate::support::{Case, package};

#[tokio::test]
async fn versions_are_numbered_and_the_latest_is_the_last_promoted() {
    for case in Case::all().await {
        let promote_if = "accuracy >= previous";
        for (name, accuracy, number, promoted, latest) in [
            ("job-a", 0.90, 1, true, 1),
            ("job-b", 0.95, 2, true, 2),
            ("job-c", 0.93, 3, false, 2),
            ("job-d", 0.94, 4, false, 2),
            ("job-e", 0.95, 5, true, 5),
        ] {
            let published = case.publish(name, accuracy, promote_if).await;
            assert!(!published.existed);
            let version = published.version;
            assert_eq!(
                (version.number, version.promotion.promoted),
                (number, promoted)
            );
            let found = case.latest().await;
            assert_eq!(found.number, latest, "{}", case.url);
            assert_eq!(case.fetched(&version).await, name);
        }
        let of_version = async |asked: &str| {
            let asked: Asked = asked.parse().unwrap();
            let found = case.registry.find("iris", &asked).await;
            found.map(|version| version.number)
        };
        assert_eq!(of_version("job-c").await.unwrap(), 3);
        assert_eq!(of_version("4").await.unwrap(), 4);
        assert_eq!(of_version("latest").await.unwrap(), 5);
        let error = of_version("job-x").await.unwrap_err().to_string();
        assert!(
            error.contains("it has \"job-e\" (5), \"job-d\" (4)"),
            "{error}"
        );
        let reason = case
            .registry
            .find("iris", &Asked::Named("3".to_owned()))
            .await;
        assert_eq!(
            reason.unwrap().promotion.reason,
            "accuracy is 0.93, not >= 0.95 of version 2"
        );
        let error = case
            .registry
            .find("rose", &Asked::Latest)
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("no model \"rose\": it has \"iris\""),
            "{error}"
        );
        assert_eq!(case.registry.models().await.unwrap(), ["iris"]);
    }
}

#[tokio::test]
async fn the_same_package_is_the_same_version() {
    for case in Case::all().await {
        let first = case.publish("job-a", 0.9, "accuracy >= previous").await;
        case.publish("job-b", 0.95, "accuracy >= previous").await;
        // Another condition changes nothing any more.
        let again = case.publish("job-a", 0.9, "accuracy >= 0.99").await;
        assert!(again.existed);
        assert_eq!(again.version, first.version);
        assert_eq!(case.latest().await.number, 2);
    }
}

#[tokio::test]
async fn a_name_is_that_of_one_package() {
    let case = Case::folder().await;
    case.publish("job-a", 0.9, "").await;
    let (_kept, other) = package("job-a", 0.8);
    let error = case.registry.publish(&other, None).await.unwrap_err();
    assert!(
        matches!(error, Error::NameTaken { number: 1, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("under another name"), "{error}");
    assert_eq!(case.latest().await.metrics["accuracy"], 0.9);
}

#[tokio::test]
async fn until_one_is_promoted_there_is_no_latest() {
    let case = Case::folder().await;
    let published = case.publish("job-a", 0.9, "accuracy >= 0.99").await;
    assert_eq!(published.version.latest, None);
    let error = case
        .registry
        .find("iris", &Asked::Latest)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("none of its versions is promoted"),
        "{error}"
    );
    case.publish("job-b", 0.995, "accuracy >= 0.99 and accuracy >= previous")
        .await;
    assert_eq!(case.latest().await.number, 2);
}

/// All of them get a version of their own, and the latest is the best that came before
/// no better one: with a condition on the previous, the best of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_publish_at_once_none_is_lost() {
    for case in Case::all().await {
        let case = std::sync::Arc::new(case);
        let publishing = (0..8).map(|publisher| {
            let case = std::sync::Arc::clone(&case);
            tokio::spawn(async move {
                let name = format!("job-{publisher}");
                let accuracy = 0.9 + f64::from(publisher) / 100.0;
                case.publish(&name, accuracy, "accuracy >= previous").await
            })
        });
        let publishing: Vec<_> = publishing.collect();
        let mut numbers = Vec::new();
        for publisher in publishing {
            let published = publisher.await.unwrap();
            assert!(!published.existed);
            numbers.push(published.version.number);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=8).collect::<Vec<_>>(), "{}", case.url);
        assert_eq!(case.latest().await.name, "job-7");
        // What each decided was decided against the one that was the latest then.
        let mut best = (None, 0.0);
        for number in numbers {
            let asked = Asked::Named(number.to_string());
            let version = case.registry.find("iris", &asked).await.unwrap();
            let accuracy = version.metrics["accuracy"];
            assert_eq!(version.promotion.promoted, accuracy >= best.1);
            if accuracy >= best.1 {
                best = (Some(number), accuracy);
            }
            assert_eq!(version.latest, best.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_publish_the_same_at_once_there_is_one_version() {
    for case in Case::all().await {
        let one = case.publish("job-a", 0.9, "");
        let (one, other) = tokio::join!(one, case.publish("job-a", 0.9, ""));
        assert_eq!(one.version, other.version);
        assert_eq!(case.latest().await.number, 1);
    }
}
